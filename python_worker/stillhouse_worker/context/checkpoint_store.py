"""The checkpoints of one task; an attempt finds the newest one of all attempts."""

import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..tensorfile import write_bytes

_FOLDER = "checkpoints"
_NAME = re.compile(r"(?P<kind>[a-z]+)-(?P<step>[0-9]{12})-(?P<sha256>[0-9a-f]{64})")
# The last but one is used where the newest turns out to be damaged.
_NUM_KEPT = 2
# The fact in a checkpoint that says which task it is of.
OF = "of"


class CheckpointFile(NamedTuple):
    """A checkpoint as a file: what it holds, how far its task was, its size and hash.

    Attributes:
        size: bytes.
        sha256: of its content, 64 hexadecimal digits.
    """

    kind: str
    step: int
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """Of the file."""
        return f"{self.kind}-{self.step:012d}-{self.sha256}"


class _Entry(NamedTuple):
    """Sorts the newest last; of two with the same step, the one that was written later."""

    step: int
    changed: float
    path: Path
    file: CheckpointFile


class CheckpointStore:
    """Checkpoints of one kind and one task, each under its step and the hash of its content.

    Attempts that overlap do not disturb each other: none overwrites what another wrote, and what is
    taken up is whole, since its hash says so.

    Args:
        task_folder: the task's own.
        kind: lower-case letters, such as "training".
        former_name: file in the task's folder where earlier versions had the only checkpoint.
    """

    def __init__(self, task_folder: Path, kind: str, former_name: str) -> None:
        self._folder, self._kind = task_folder / _FOLDER, kind
        self._former = task_folder / former_name

    def put(self, step: int, content: bytes) -> None:
        """Keep ``content`` and remove all checkpoints but the last two.

        Args:
            step: how far the task is, 0 <= step < 10^12.

        Raises:
            OSError: the disk is full or missing.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        file = CheckpointFile(self._kind, step, len(content), sha256)
        write_bytes(self._folder / file.name, content)
        for entry in self._entries()[:-_NUM_KEPT]:
            with suppress(OSError):
                entry.path.unlink(missing_ok=True)

    def newest(self, tell: Callable[[str], None]) -> Path | None:
        """The undamaged file with the greatest step.

        Args:
            tell: called with a sentence about each damaged file.

        Returns:
            None where there is none.
        """
        for entry in reversed(self._entries()):
            if _is_whole(entry):
                return entry.path
            tell(f"the checkpoint of step {entry.step} is damaged and is skipped: {entry.path}")
        return self._former if self._former.is_file() else None

    def _entries(self) -> list[_Entry]:
        return [entry for entry in _entries(self._folder) if entry.file.kind == self._kind]


def check_owner(noted: str, task_id: str) -> None:
    """Raise ``ValueError`` where a checkpoint is known to be of another task.

    Args:
        noted: id of the task that wrote it; empty where that is not known, as of earlier versions.
        task_id: of the task that is to continue from it; empty where it has none.
    """
    if noted and task_id and noted != task_id:
        raise ValueError(f"it is a checkpoint of task {noted}, not of {task_id}")


def checkpoint_path(task_folder: Path, file: CheckpointFile) -> Path:
    """Where a checkpoint lies, or is to lie."""
    return task_folder / _FOLDER / file.name


def newest_files(task_folder: Path) -> dict[str, CheckpointFile]:
    """The newest checkpoint of each kind, which may be damaged."""
    return {entry.file.kind: entry.file for entry in _entries(task_folder / _FOLDER)}


def newest_whole_step(task_folder: Path, kind: str) -> int:
    """Step of the newest undamaged checkpoint of a kind; -1 where there is none."""
    for entry in reversed(_entries(task_folder / _FOLDER)):
        if entry.file.kind == kind and _is_whole(entry):
            return entry.step
    return -1


def _entries(folder: Path) -> list[_Entry]:
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        # Another attempt may remove it at the same time.
        with suppress(FileNotFoundError):
            if match:
                step, stat = int(match["step"]), path.stat()
                file = CheckpointFile(match["kind"], step, stat.st_size, match["sha256"])
                found.append(_Entry(step, stat.st_mtime, path, file))
    return sorted(found)


def _is_whole(entry: _Entry) -> bool:
    try:
        with entry.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == entry.file.sha256
    except OSError:
        return False
