"""Intermediate results of a task, as JSON that the next attempt reads."""

import json
from typing import Any

from .checkpoint_store import OF, CheckpointStore, check_owner
from .task_context import TaskContext

_VALUE = "value"


class Notes:
    """JSON values of one kind and task; see `CheckpointStore` for which of several are kept.

    Args:
        task: whose notes they are; its reporter gets a line about damaged ones.
        kind: lower-case letters.
        former_name: file in the task's own folder where earlier versions had it.
    """

    def __init__(self, task: TaskContext, kind: str, former_name: str) -> None:
        self._store = CheckpointStore(task.work_dir, kind, former_name)
        self._reporter, self._task_id = task.reporter, task.task_id

    def read(self) -> Any:
        """The newest value, or None."""
        path = self._store.newest(self._warn)
        try:
            return None if path is None else self._own(json.loads(path.read_bytes()))
        except ValueError as error:
            self._warn(f"{path} is refused, starting again: {error}")
            return None

    def write(self, step: int, value: Any) -> None:
        """Keep a value; the greatest step is the newest.

        Raises:
            OSError: the disk is full or missing.
        """
        noted = {OF: self._task_id, _VALUE: value}
        self._store.put(step, json.dumps(noted).encode())

    def _own(self, noted: Any) -> Any:
        if not isinstance(noted, dict) or noted.keys() != {OF, _VALUE}:
            return noted  # it was written before the task was noted with it
        check_owner(noted[OF], self._task_id)
        return noted[_VALUE]

    def _warn(self, sentence: str) -> None:
        self._reporter.log("warning", sentence)
