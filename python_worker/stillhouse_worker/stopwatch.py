"""How long the attempts at a task have computed."""

import time
from pathlib import Path

_NAME = "seconds"


class Stopwatch:
    """Runs from its making on; attempts in the same folder add up.

    Args:
        folder: the task's own.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._earlier = _read(self._path)
        self._started = time.monotonic()

    def seconds(self) -> float:
        """Of all attempts, up to now."""
        return self._earlier + time.monotonic() - self._started

    def save(self) -> None:
        """Keep it for the next attempt; where the disk is full, what was kept last counts."""
        draft = self._path.with_suffix(".draft")
        try:
            draft.write_text(str(self.seconds()))
            draft.replace(self._path)
        except OSError:
            draft.unlink(missing_ok=True)


def _read(path: Path) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return 0.0
