"""Requests of the artifact service."""

from collections.abc import Sequence
from typing import Any

from stillhouse_proto.v1 import experiment_pb2, service_pb2, service_pb2_grpc

from .lease import Lease

ArtifactStub = service_pb2_grpc.ArtifactServiceStub
UPLOAD_CHUNK_BYTES = 1 << 20


def upload_requests(lease: Lease, files: Sequence[tuple[str, str, bytes]]) -> Any:
    """Requests that upload ``files`` of (name, sha256, content)."""
    header = service_pb2.UploadHeader(
        **lease._asdict(),
        files=[
            experiment_pb2.ArtifactFile(name=name, size=len(content), sha256=sha256)
            for name, sha256, content in files
        ],
    )
    yield service_pb2.UploadArtifactRequest(header=header)
    for _, _, content in files:
        for start in range(0, len(content), UPLOAD_CHUNK_BYTES):
            chunk = content[start : start + UPLOAD_CHUNK_BYTES]
            yield service_pb2.UploadArtifactRequest(chunk=chunk)


def download_request(lease: Lease, artifact_id: str, file_name: str) -> Any:
    """Asks for a file of the artifact of a task, from its first byte to its last."""
    return service_pb2.DownloadArtifactRequest(
        **lease._asdict(), artifact_id=artifact_id, file_name=file_name
    )
