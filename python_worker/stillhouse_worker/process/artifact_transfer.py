"""Artifacts between a worker and the control plane, over gRPC streams."""

import hashlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from .. import convert
from ..artifact_files import MANIFEST_NAME, TENSORS_NAME
from ..context.reporting import Stopped
from ..convert.lease import Lease
from ..errors import StillhouseError
from ..tensorfile import write_bytes
from .credentials import Credentials, call_metadata, open_channel

_MAX_MESSAGE_BYTES = 64 << 20
_OPTIONS: list[tuple[str, Any]] = [("grpc.max_send_message_length", _MAX_MESSAGE_BYTES)]
_RETRY_INTERVAL_S = 1.0
# A restarted control plane may answer before this worker has said hello again.
_LONGEST_CONFLICT_S = 120.0


class ArtifactTransfer:
    """Uploads and downloads artifacts; waits for a control plane that does not answer.

    Args:
        address: HOST:PORT.
        credentials: for TLS, and the token of each call.
        stop: whether to give up waiting, since the task should stop.
    """

    def __init__(self, address: str, credentials: Credentials, stop: Callable[[], bool]) -> None:
        self._address, self._credentials, self._stop = address, credentials, stop
        self._metadata = call_metadata(credentials)

    def upload(self, lease: Lease, folder: Path) -> Any:
        """Hand in the files of ``folder`` for an attempt at a task; the artifact as it is stored.

        Raises:
            Stopped: a stop was requested before the control plane came back.
            StillhouseError: ``conflict`` when the attempt is no longer the current one.
        """
        files = []
        for path in sorted(folder.iterdir()):
            content = path.read_bytes()
            files.append((path.name, hashlib.sha256(content).hexdigest(), content))

        def hand_in(stub: Any) -> Any:
            requests = convert.upload_requests(lease, files)
            return stub.UploadArtifact(requests, metadata=self._metadata).artifact

        return self._patiently(hand_in)

    def download(self, lease: Lease, artifact_id: str, folder: Path) -> Path:
        """Fetch the artifact into ``folder``, where an incomplete one never appears.

        Raises:
            Stopped: a stop was requested before the control plane came back.
            StillhouseError: ``environment`` when what came is not what the control plane has.
        """
        for name in (TENSORS_NAME, MANIFEST_NAME):
            fetch = partial(self._fetch, lease, artifact_id, name)
            write_bytes(folder / name, self._patiently(fetch))
        return folder

    def _fetch(self, lease: Lease, artifact_id: str, name: str, stub: Any) -> bytes:
        content, expected = bytearray(), None
        request = convert.download_request(lease, artifact_id, name)
        for response in stub.DownloadArtifact(request, metadata=self._metadata):
            if response.HasField("file"):
                expected = response.file
            content += response.chunk
        if expected is not None and hashlib.sha256(content).hexdigest() != expected.sha256:
            raise StillhouseError(
                "environment",
                f"{name} of artifact {artifact_id} was damaged in transit: "
                f"its SHA-256 is not {expected.sha256}",
                retryable=True,
            )
        return bytes(content)

    def _patiently(self, call: Callable[[Any], Any]) -> Any:
        began = time.monotonic()
        with open_channel(self._address, self._credentials, _OPTIONS) as channel:
            while True:
                try:
                    return call(convert.ArtifactStub(channel))
                except grpc.RpcError as error:
                    if not self._may_pass(error, time.monotonic() - began):
                        raise _failure(error, self._address) from error
                if self._stop():
                    raise Stopped
                time.sleep(_RETRY_INTERVAL_S)

    def _may_pass(self, error: Any, waited_s: float) -> bool:
        """Whether the same call may succeed later."""
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
            return True
        if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
            return convert.is_retryable(error)  # its disk is full
        is_conflict = error.code() == grpc.StatusCode.FAILED_PRECONDITION
        return is_conflict and waited_s < _LONGEST_CONFLICT_S and not self._stop()


def _failure(error: Any, address: str) -> StillhouseError:
    codes = {
        grpc.StatusCode.FAILED_PRECONDITION: "conflict",
        grpc.StatusCode.NOT_FOUND: "not_found",
        grpc.StatusCode.RESOURCE_EXHAUSTED: "exhausted",
    }
    kind: Any = codes.get(error.code(), "environment")
    return StillhouseError(
        kind, f"the control plane at {address} refused an artifact: {error.details()}"
    )
