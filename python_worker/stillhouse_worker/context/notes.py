"""What a task has found out so far, as JSON that the next attempt reads."""

import json
from pathlib import Path
from typing import Any

from .checkpoint_store import CheckpointStore
from .reporting import Reporter


class Notes:
    """JSON values of one kind and task; see `CheckpointStore` for what becomes of several.

    Args:
        work_dir: the task's own folder.
        kind: lower-case letters.
        former_name: file in ``work_dir`` where earlier versions had it.
        reporter: told of notes that are damaged.
    """

    def __init__(self, work_dir: Path, kind: str, former_name: str, reporter: Reporter) -> None:
        self._store, self._reporter = CheckpointStore(work_dir, kind, former_name), reporter

    def read(self) -> Any:
        """The newest value, or None."""
        path = self._store.newest(self._warn)
        try:
            return None if path is None else json.loads(path.read_bytes())
        except ValueError as error:
            self._warn(f"{path} is damaged, starting again: {error}")
            return None

    def write(self, step: int, value: Any) -> None:
        """Keep a value; the greatest step is the newest.

        Raises:
            OSError: the disk is full or gone.
        """
        self._store.put(step, json.dumps(value).encode())

    def _warn(self, sentence: str) -> None:
        self._reporter.log("warning", sentence)
