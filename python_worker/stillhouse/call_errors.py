"""What goes wrong, as the server tells it."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from stillhouse_proto.v1 import failure_pb2

_FAILURE_KEY = "stillhouse-failure-bin"


class StillhouseError(Exception):
    """A call that failed.

    Attributes:
        kind: such as "INVALID", "NOT_FOUND", "CONFLICT", or "UNAVAILABLE" when nobody answers.
        field: what of the request is at fault, such as "inner.lr"; empty when nothing is.
        retryable: whether the same call may succeed later.
    """

    def __init__(self, kind: str, message: str, field: str = "", retryable: bool = False) -> None:
        super().__init__(message)
        self.kind, self.field, self.retryable = kind, field, retryable


@contextmanager
def told() -> Iterator[None]:
    """Raises the errors of gRPC calls as StillhouseErrors."""
    try:
        yield
    except grpc.RpcError as error:
        raise _error_of(error) from error


def _error_of(error: grpc.RpcError) -> StillhouseError:
    for key, value in error.trailing_metadata() or ():
        if key == _FAILURE_KEY:
            failure = failure_pb2.Failure.FromString(value)
            kind = failure_pb2.FailureKind.Name(failure.kind).removeprefix("FAILURE_KIND_")
            return StillhouseError(kind, failure.message, failure.field, failure.retryable)
    unavailable = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    return StillhouseError(error.code().name, error.details() or "", retryable=unavailable)
