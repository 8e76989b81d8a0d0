"""How long the attempts at a task have computed."""

import time
from contextlib import suppress
from pathlib import Path

from .attempt_folder import SECONDS_NAME, attempt_folder, earlier_folders


class Stopwatch:
    """Runs from its making on; the attempts at a task add up.

    Args:
        task_folder: the task's own.
        attempt: number of the attempt that it measures.
    """

    def __init__(self, task_folder: Path, attempt: int) -> None:
        self._path = attempt_folder(task_folder, attempt) / SECONDS_NAME
        folders = earlier_folders(task_folder, attempt)
        self._earlier = sum(_read(folder / SECONDS_NAME) for folder in folders)
        self._started = time.monotonic()

    def seconds(self) -> float:
        """Seconds of all attempts, up to now."""
        return self._earlier + self._own()

    def save(self) -> None:
        """Keep it for the next attempt; where the disk is full, what was kept last counts."""
        draft = self._path.with_suffix(".draft")
        try:
            draft.write_text(str(self._own()))
            draft.replace(self._path)
        except OSError:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def _own(self) -> float:
        return time.monotonic() - self._started


def _read(path: Path) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return 0.0
