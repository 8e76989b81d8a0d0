"""Checkpoints between a worker and the control plane, over gRPC streams."""

import hashlib
from pathlib import Path
from typing import Any, BinaryIO

import grpc

from .. import convert
from ..context.checkpoint_store import CheckpointFile
from ..convert.lease import Lease
from ..errors import StillhouseError
from ..stopping import may_stop
from .patient_calls import PatientCalls


class CheckpointTransfer:
    """Hands in and fetches the checkpoints of one attempt at a task.

    Args:
        calls: to the control plane.
        lease: of the attempt.
    """

    def __init__(self, calls: PatientCalls, lease: Lease) -> None:
        self._calls, self._lease = calls, lease
        self._call: Any = None

    def hand_in(self, file: CheckpointFile, content: BinaryIO, within_s: float) -> None:
        """Send a checkpoint, once.

        Raises:
            StillhouseError: it was refused, the control plane is away, or it took too long.
        """
        requests = convert.checkpoint_requests(self._lease, file, content)
        with self._calls.open_channel() as channel:
            call = convert.ArtifactStub(channel).UploadCheckpoint
            self._call = call.future(requests, metadata=self._calls.metadata, timeout=within_s)
            try:
                self._call.result()
            except (grpc.RpcError, grpc.FutureCancelledError) as error:
                raise self._refusal(error) from error
            finally:
                self._call = None

    def cancel(self) -> None:
        """End what is being handed in, from another thread."""
        if call := self._call:
            call.cancel()

    def fetch(self, file: CheckpointFile, path: Path) -> None:
        """Fetch a checkpoint to ``path``, where an incomplete or damaged one never appears.

        Raises:
            Stopped: a stop was requested before the control plane came back.
            StillhouseError: ``not_found``, or ``environment`` when what came is not what was named.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.draft")
        try:
            self._calls.make(lambda stub: self._receive(stub, file, draft))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def _receive(self, stub: Any, file: CheckpointFile, draft: Path) -> None:
        request = convert.checkpoint_request(self._lease, file)
        sha256, size = hashlib.sha256(), 0
        with draft.open("wb") as output:
            for response in stub.DownloadCheckpoint(request, metadata=self._calls.metadata):
                may_stop()
                sha256.update(response.chunk)
                size += len(response.chunk)
                if size > file.size:
                    break
                output.write(response.chunk)
        if size != file.size or sha256.hexdigest() != file.sha256:
            raise StillhouseError(
                "environment",
                f"what came has {size} bytes and the SHA-256 {sha256.hexdigest()}, "
                f"announced were {file.size} and {file.sha256}",
            )

    def _refusal(self, error: Any) -> StillhouseError:
        if isinstance(error, grpc.FutureCancelledError):
            return StillhouseError("cancelled", "it was not wanted any more")
        return self._calls.refusal(error)
