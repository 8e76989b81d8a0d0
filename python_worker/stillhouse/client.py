"""The services of a control plane, over one connection."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any

import grpc

from stillhouse_proto.v1 import experiment_pb2, service_pb2, service_pb2_grpc, spec_pb2
from stillhouse_worker.errors import StillhouseError

from .call_errors import told

__all__ = ["StillhouseClient", "StillhouseError"]

_MAX_MESSAGE_BYTES = 8 << 20
_PAGE_SIZE = 100


class StillhouseClient:
    """A connection to a control plane; every error of its methods is a StillhouseError.

    What has no method here is called by the stubs `experiments`, `sweeps`, `metrics`, `workers` and
    `artifacts` with the messages of `stillhouse_proto.v1`.

    Args:
        address: HOST:PORT of gRPC.
        authority: PEM text of the certificate that the server's is checked against; without one
            nothing is encrypted, which suits this machine alone.
        token: bearer token, which needs an authority.
    """

    def __init__(
        self, address: str, *, authority: str | None = None, token: str | None = None
    ) -> None:
        options = [
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.enable_http_proxy", 0),  # a proxy leads to the web
        ]
        if authority is None:
            if token is not None:
                raise ValueError("a token is sent over TLS alone; give the authority as well")
            self._channel = grpc.insecure_channel(address, options)
        else:
            self._channel = grpc.secure_channel(address, _credentials(authority, token), options)
        self.experiments = service_pb2_grpc.ExperimentServiceStub(self._channel)
        self.sweeps = service_pb2_grpc.SweepServiceStub(self._channel)
        self.metrics = service_pb2_grpc.MetricServiceStub(self._channel)
        self.workers = service_pb2_grpc.WorkerServiceStub(self._channel)
        self.artifacts = service_pb2_grpc.ArtifactServiceStub(self._channel)

    def resolve(self, draft: spec_pb2.ExperimentSpec) -> spec_pb2.ExperimentSpec:
        """Fill in a draft from its preset and from what the server finds."""
        with told():
            request = service_pb2.ResolveExperimentRequest(draft=draft)
            return self.experiments.ResolveExperiment(request).spec

    def create(
        self, spec: spec_pb2.ExperimentSpec, request_id: str = "", **placement: Any
    ) -> experiment_pb2.Experiment:
        """Store and queue a resolved spec.

        Args:
            spec: see `resolve`.
            request_id: the same one again returns the same experiment.
            placement: ``priority`` and ``owner``.
        """
        with told():
            request = service_pb2.CreateExperimentRequest(
                spec=spec, request_id=request_id, **placement
            )
            return self.experiments.CreateExperiment(request).experiment

    def get(self, experiment_id: str) -> experiment_pb2.Experiment:
        """The experiment as it is now."""
        with told():
            request = service_pb2.GetExperimentRequest(experiment_id=experiment_id)
            return self.experiments.GetExperiment(request).experiment

    def search(self, **wanted: Any) -> Iterator[experiment_pb2.Experiment]:
        """All experiments that pass a filter, newest first.

        Args:
            wanted: fields of ExperimentFilter, such as ``owner``, ``dataset`` or ``states``.
        """
        request = service_pb2.ListExperimentsRequest(
            page_size=_PAGE_SIZE, filter=service_pb2.ExperimentFilter(**wanted)
        )
        while True:
            with told():
                page = self.experiments.ListExperiments(request)
            yield from page.experiments
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch(self, experiment_id: str, after_sequence: int = 0) -> Iterator[experiment_pb2.Event]:
        """The experiment as it is, then its events until it ends.

        Args:
            experiment_id: which.
            after_sequence: to continue after a lost connection, the greatest one that was seen.
        """
        request = service_pb2.WatchExperimentRequest(
            experiment_id=experiment_id, after_sequence=after_sequence
        )
        with told():
            for response in self.experiments.WatchExperiment(request):
                yield response.event

    def series(
        self, experiment_id: str, *names: str, max_points: int = 0
    ) -> dict[tuple[str, str], list[tuple[int, float]]]:
        """Steps and values of metrics, by task and name; all metrics where none is named."""
        request = service_pb2.GetMetricSeriesRequest(
            experiment_id=experiment_id, names=names, max_points=max_points
        )
        with told():
            found = self.metrics.GetMetricSeries(request).series
        return {
            (one.task_id, one.name): list(zip(one.steps, one.values, strict=True)) for one in found
        }

    def download(self, artifact_id: str, file_name: str) -> bytes:
        """A file of an artifact."""
        request = service_pb2.DownloadArtifactRequest(artifact_id=artifact_id, file_name=file_name)
        with told():
            return b"".join(part.chunk for part in self.artifacts.DownloadArtifact(request))

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def __enter__(self) -> "StillhouseClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _credentials(authority: str, token: str | None) -> Any:
    encrypted = grpc.ssl_channel_credentials(authority.encode())
    if token is None:
        return encrypted
    bearer = grpc.access_token_call_credentials(token)
    return grpc.composite_channel_credentials(encrypted, bearer)
