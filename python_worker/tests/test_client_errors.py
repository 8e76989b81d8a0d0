"""A failed call of the client raises the one exception of Stillhouse."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

import stillhouse
from stillhouse_proto.v1 import failure_pb2, service_pb2_grpc
from stillhouse_worker.errors import FailureKind


class Refusing(service_pb2_grpc.ExperimentServiceServicer):
    """Refuses each call with a failure, as the control plane does."""

    def __init__(self, failure: failure_pb2.Failure | None) -> None:
        self._failure = failure

    def GetExperiment(self, _request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        if self._failure is not None:
            metadata = (("stillhouse-failure-bin", self._failure.SerializeToString()),)
            context.set_trailing_metadata(metadata)
        context.abort(grpc.StatusCode.NOT_FOUND, "said by gRPC")


def error_of_call(failure: failure_pb2.Failure | None) -> stillhouse.StillhouseError:
    server = grpc.server(ThreadPoolExecutor(1))
    service_pb2_grpc.add_ExperimentServiceServicer_to_server(Refusing(failure), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with (
            stillhouse.StillhouseClient(f"127.0.0.1:{port}") as client,
            pytest.raises(stillhouse.StillhouseError) as caught,
        ):
            client.get("x")
        return caught.value
    finally:
        server.stop(None)


def test_the_failure_of_the_server_arrives_whole() -> None:
    failure = failure_pb2.Failure(
        kind=failure_pb2.FAILURE_KIND_RATE_LIMITED,
        message="too many calls",
        field="spec.seed",
        retryable=True,
    )
    error = error_of_call(failure)
    told = (error.kind, error.message, error.field, error.retryable, str(error))
    assert told == ("rate_limited", "too many calls", "spec.seed", True, "too many calls")


def test_an_error_of_another_server_keeps_its_code() -> None:
    error = error_of_call(None)
    assert (error.kind, error.message) == ("internal", "NOT_FOUND: said by gRPC")


def test_a_call_that_nobody_answers_may_be_tried_again() -> None:
    with (
        stillhouse.StillhouseClient("127.0.0.1:1") as client,
        pytest.raises(stillhouse.StillhouseError) as caught,
    ):
        client.get("x")
    assert (caught.value.kind, caught.value.retryable) == ("unavailable", True)


def test_every_kind_of_the_protos_has_its_name() -> None:
    names = set(failure_pb2.FailureKind.keys()) - {"FAILURE_KIND_UNSPECIFIED"}
    kinds = {name.removeprefix("FAILURE_KIND_").lower() for name in names}
    assert kinds == set(FailureKind.__args__)
