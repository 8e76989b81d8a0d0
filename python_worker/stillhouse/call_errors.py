"""Failed gRPC calls as the one exception of Stillhouse."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import grpc

from stillhouse_proto.v1 import failure_pb2
from stillhouse_worker.errors import FailureKind, StillhouseError

_FAILURE_KEY = "stillhouse-failure-bin"
_NOBODY_ANSWERS = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


@contextmanager
def told() -> Iterator[None]:
    """Raise the errors of gRPC calls as StillhouseErrors."""
    try:
        yield
    except grpc.RpcError as error:
        raise _error_of(error) from error


def _error_of(error: grpc.RpcError) -> StillhouseError:
    for key, value in error.trailing_metadata() or ():
        if key == _FAILURE_KEY:
            return _told_by_server(failure_pb2.Failure.FromString(value))
    message = error.details() or error.code().name
    if error.code() in _NOBODY_ANSWERS:
        return StillhouseError("unavailable", message, retryable=True)
    return StillhouseError("internal", f"{error.code().name}: {message}")


def _told_by_server(failure: failure_pb2.Failure) -> StillhouseError:
    name = failure_pb2.FailureKind.Name(failure.kind).removeprefix("FAILURE_KIND_").lower()
    kind = cast(FailureKind, name)
    return StillhouseError(kind, failure.message, field=failure.field, retryable=failure.retryable)
