"""Fetches data sets and models that clients have sent, over a gRPC stream."""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from .. import convert
from ..convert.lease import Lease
from ..errors import StillhouseError
from ..stopping import may_stop
from .patient_calls import PatientCalls


def fetch_folder(
    calls: PatientCalls,
    lease: Lease,
    folder_id: str,
    draft: Path,
    make_room: Callable[[int], None],
) -> None:
    """Fetch all files of a folder into ``draft``, which is made anew.

    Args:
        calls: to the control plane.
        lease: of an attempt at a task whose spec names the folder.
        folder_id: SHA-256 over the hashes, sizes and names of its files.
        draft: where nobody reads.
        make_room: called with the number of bytes before any of them is written.

    Raises:
        Stopped: a stop was requested before the control plane came back.
        StillhouseError: ``environment`` when what came is not the folder of that id.
    """

    def receive(stub: Any) -> None:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        request = convert.folder_request(lease, folder_id)
        responses = iter(stub.DownloadFolder(request, metadata=calls.metadata))
        files = _checked(next(responses).files.files, folder_id)
        make_room(sum(file.size for file in files))
        _write(files, (response.chunk for response in responses), draft)

    calls.make(receive)


def _checked(files: Sequence[Any], folder_id: str) -> Sequence[Any]:
    """The files, if they are those of the folder and stay in it."""
    sha256 = hashlib.sha256()
    for file in files:
        sha256.update(f"{file.sha256} {file.size} {file.name}\n".encode())
    if sha256.hexdigest() != folder_id:
        raise _damaged(f"the files have the id {sha256.hexdigest()}, not {folder_id}")
    for file in files:
        path = PurePosixPath(file.name)
        if not file.name or path.is_absolute() or ".." in path.parts or "\0" in file.name:
            raise _damaged(f"the file {file.name!r} would lie outside")
    return files


def _write(files: Sequence[Any], chunks: Iterator[bytes], draft: Path) -> None:
    for file in files:
        path = draft / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        sha256, size = hashlib.sha256(), 0
        with path.open("xb") as output:
            while size < file.size:
                may_stop()
                chunk = next(chunks, b"")
                sha256.update(chunk)
                size += len(chunk)
                if not chunk or size > file.size:
                    break
                output.write(chunk)
        if size != file.size or sha256.hexdigest() != file.sha256:
            raise _damaged(f"{file.name} has {size} bytes and the SHA-256 {sha256.hexdigest()}")
    if next(chunks, None) is not None:
        raise _damaged("more bytes came than the files have")


def _damaged(what: str) -> StillhouseError:
    return StillhouseError(
        "environment",
        f"a folder of the control plane was damaged in transit: {what}",
        retryable=True,
    )
