"""Artifacts between a worker and the control plane, over gRPC streams."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .. import convert
from ..artifact_files import DISTILLED_FILES
from ..convert.lease import Lease
from ..errors import StillhouseError
from ..stopping import may_stop
from ..tensorfile import write_bytes
from .patient_calls import PatientCalls


class ArtifactTransfer:
    """Uploads and downloads artifacts.

    Args:
        calls: to the control plane.
    """

    def __init__(self, calls: PatientCalls) -> None:
        self._calls = calls

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
            return stub.UploadArtifact(requests, metadata=self._calls.metadata).artifact

        return self._calls.make(hand_in)

    def download(
        self,
        lease: Lease,
        artifact_id: str,
        folder: Path,
        names: Sequence[str] = DISTILLED_FILES,
    ) -> Path:
        """Fetch the files of an artifact into ``folder``, where an incomplete one never appears.

        The last of ``names`` is the one that says that all are there.

        Raises:
            Stopped: a stop was requested before the control plane came back.
            StillhouseError: ``environment`` when what came is not what the control plane has.
        """
        for name in names:
            fetch = partial(self._fetch, lease, artifact_id, name)
            write_bytes(folder / name, self._calls.make(fetch))
        return folder

    def _fetch(self, lease: Lease, artifact_id: str, name: str, stub: Any) -> bytes:
        content, expected = bytearray(), None
        request = convert.download_request(lease, artifact_id, name)
        for response in stub.DownloadArtifact(request, metadata=self._calls.metadata):
            may_stop()
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
