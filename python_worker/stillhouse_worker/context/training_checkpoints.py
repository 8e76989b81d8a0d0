"""Decides when checkpoints are written, and reads those of earlier attempts."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from ..tensorfile import read_tensors, tensor_bytes
from .checkpoint_store import OF, CheckpointStore, check_owner
from .task_context import TaskContext

# Seconds between two checkpoints.
SHORTEST_INTERVAL_S = 20.0
# Share of a run that writing may take. A checkpoint may be large: with attention labels of all
# tokens at S = 512 it holds 1.2 GB.
MOST_OF_RUN = 0.01


class CheckpointTimes:
    """Writes checkpoints as often as they cost little time."""

    def __init__(self) -> None:
        self._last, self._interval = time.monotonic(), SHORTEST_INTERVAL_S

    def save_if_due(self, save: Callable[[], None]) -> None:
        """Call ``save`` where the last one, or the start, was long enough ago for what it took."""
        started = time.monotonic()
        if started - self._last < self._interval:
            return
        save()
        self._last = time.monotonic()
        self._interval = max(SHORTEST_INTERVAL_S, (self._last - started) / MOST_OF_RUN)


class TrainingCheckpoints:
    """Checkpoints of a distillation or a full training: tensors, and facts as JSON.

    Args:
        task: whose checkpoints they are; its reporter gets a line about each that is refused.
    """

    def __init__(self, task: TaskContext) -> None:
        self._store = CheckpointStore(task.work_dir, "training", "checkpoint.safetensors")
        self._reporter, self._task_id = task.reporter, task.task_id

    def newest(self) -> Path | None:
        """The file to continue from."""
        refused: list[str] = []
        path = self._store.newest(refused.append)
        if refused and path is None:
            refused.append("no other checkpoint is left: the task starts again from step 1")
        for sentence in refused:
            self._reporter.log("warning", sentence)
        return path

    def read(self, path: Path | None) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The content of a file of `newest`; None where there is none that can be continued."""
        if path is None:
            return None
        try:
            tensors, facts = read_tensors(path)
            check_owner(facts.pop(OF, ""), self._task_id)
        except ValueError as error:
            self._reporter.log(
                "warning",
                f"the checkpoint is refused, and the task starts again from step 1: {error}",
            )
            return None
        return tensors, facts

    def write(self, step: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Keep the state after a step.

        Raises:
            OSError: the disk is full or missing.
        """
        self._reporter.checkpoint()
        self._store.put(step, tensor_bytes(tensors, {**facts, OF: self._task_id}))
