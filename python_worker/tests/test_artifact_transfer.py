"""Artifacts over a real gRPC server, also one that is away at first or sends damaged files."""

import hashlib
import threading
import time
from concurrent import futures

import grpc
import pytest

from stillhouse_proto.v1 import experiment_pb2, failure_pb2, service_pb2, service_pb2_grpc
from stillhouse_worker.artifacts import MANIFEST_NAME, TENSORS_NAME
from stillhouse_worker.context.reporting import Stopped
from stillhouse_worker.convert.lease import Lease
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.process.artifact_transfer import ArtifactTransfer
from stillhouse_worker.process.credentials import Credentials
from stillhouse_worker.process.patient_calls import PatientCalls

LEASE = Lease("t", 1, b"secret")
FILES = {TENSORS_NAME: b"tensors" * 1000, MANIFEST_NAME: b"{}"}


class Store(service_pb2_grpc.ArtifactServiceServicer):
    """Keeps what is uploaded, and serves `FILES` or what a test puts in their place."""

    def __init__(self) -> None:
        self.files = dict(FILES)
        self.received = b""

    def DownloadArtifact(self, request, context):  # noqa: N802
        content = self.files[request.file_name]
        sha256 = hashlib.sha256(FILES[request.file_name]).hexdigest()
        file = experiment_pb2.ArtifactFile(name=request.file_name, sha256=sha256)
        yield service_pb2.DownloadArtifactResponse(chunk=content[:100], file=file)
        yield service_pb2.DownloadArtifactResponse(chunk=content[100:])

    def UploadArtifact(self, requests, context):  # noqa: N802
        for request in requests:
            self.received += request.chunk
        return service_pb2.UploadArtifactResponse(artifact=experiment_pb2.Artifact(id="a"))


def serve(store: Store, port: int = 0):
    server = grpc.server(futures.ThreadPoolExecutor(2))
    service_pb2_grpc.add_ArtifactServiceServicer_to_server(store, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound


def transfer(port: int, stop=lambda: False) -> ArtifactTransfer:
    return ArtifactTransfer(PatientCalls(f"127.0.0.1:{port}", Credentials(), stop))


def test_an_artifact_is_fetched_whole(tmp_path) -> None:
    server, port = serve(Store())
    folder = transfer(port).download(LEASE, "a", tmp_path / "fetched")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    server.stop(None)


def test_a_file_damaged_in_transit_is_never_visible(tmp_path) -> None:
    store = Store()
    store.files[TENSORS_NAME] = b"x" * 7000
    server, port = serve(store)
    with pytest.raises(StillhouseError, match="was damaged in transit") as raised:
        transfer(port).download(LEASE, "a", tmp_path / "fetched")
    assert raised.value.retryable
    assert not (tmp_path / "fetched" / TENSORS_NAME).exists()
    server.stop(None)


def test_an_upload_waits_while_the_control_planes_disk_is_full(tmp_path) -> None:
    class Full(Store):
        is_full = True

        def UploadArtifact(self, requests, context):  # noqa: N802
            if self.is_full:
                self.is_full = False
                failure = failure_pb2.Failure(retryable=True).SerializeToString()
                context.set_trailing_metadata([("stillhouse-failure-bin", failure)])
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "the disk is full")
            return super().UploadArtifact(requests, context)

    store = Full()
    server, port = serve(store)
    (tmp_path / "a.bin").write_bytes(b"content")
    assert transfer(port).upload(LEASE, tmp_path).id == "a"
    assert store.received == b"content"
    server.stop(None)


def test_an_artifact_that_is_too_large_is_not_uploaded_again(tmp_path) -> None:
    class Small(Store):
        def UploadArtifact(self, requests, context):  # noqa: N802
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too large")

    server, port = serve(Small())
    with pytest.raises(StillhouseError, match="too large") as raised:
        transfer(port).upload(LEASE, tmp_path)
    assert raised.value.kind == "exhausted"
    server.stop(None)


def test_an_upload_waits_for_a_control_plane_that_is_away(tmp_path) -> None:
    server, port = serve(Store())
    server.stop(None).wait()
    (tmp_path / "a.bin").write_bytes(b"content")
    back: list = []

    def come_back() -> None:
        time.sleep(0.5)
        store = Store()
        back.extend([store, serve(store, port)[0]])

    threading.Thread(target=come_back).start()
    assert transfer(port).upload(LEASE, tmp_path).id == "a"
    assert back[0].received == b"content"
    back[1].stop(None)


def test_a_stop_ends_the_wait(tmp_path) -> None:
    server, port = serve(Store())
    server.stop(None).wait()
    (tmp_path / "a.bin").write_bytes(b"content")
    with pytest.raises(Stopped):
        transfer(port, stop=lambda: True).upload(LEASE, tmp_path)
