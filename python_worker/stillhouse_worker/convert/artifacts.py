"""Requests of the artifact service."""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from stillhouse_proto.v1 import experiment_pb2, service_pb2, service_pb2_grpc

from ..context.checkpoint_store import CheckpointFile
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


def checkpoint_requests(lease: Lease, file: CheckpointFile, content: BinaryIO) -> Iterator[Any]:
    """Requests that hand in a checkpoint, read as they are sent."""
    header = service_pb2.UploadCheckpointHeader(
        **lease._asdict(), checkpoint=experiment_pb2.Checkpoint(**file._asdict())
    )
    yield service_pb2.UploadCheckpointRequest(header=header)
    while chunk := content.read(UPLOAD_CHUNK_BYTES):
        yield service_pb2.UploadCheckpointRequest(chunk=chunk)


def checkpoint_request(lease: Lease, file: CheckpointFile) -> Any:
    """Asks for a checkpoint of the task."""
    return service_pb2.DownloadCheckpointRequest(
        **lease._asdict(), checkpoint=experiment_pb2.Checkpoint(**file._asdict())
    )


def folder_request(lease: Lease, folder_id: str) -> Any:
    """Asks for a data set or model that a client has sent."""
    return service_pb2.DownloadFolderRequest(**lease._asdict(), folder_id=folder_id)


def checkpoint_files(messages: Sequence[experiment_pb2.Checkpoint]) -> list[CheckpointFile]:
    """The checkpoints that an assignment names."""
    return [CheckpointFile(each.kind, each.step, each.size, each.sha256) for each in messages]
