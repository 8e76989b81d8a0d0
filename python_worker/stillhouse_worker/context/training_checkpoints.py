"""Decides when checkpoints are written, and reads those of earlier attempts."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from ..tensorfile import read_tensors, tensor_bytes
from .checkpoint_store import CheckpointStore
from .reporting import Reporter

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
        work_dir: the task's own folder.
        reporter: gets a line about each damaged checkpoint.
    """

    def __init__(self, work_dir: Path, reporter: Reporter) -> None:
        self._store = CheckpointStore(work_dir, "training", "checkpoint.safetensors")
        self._reporter = reporter

    def newest(self) -> Path | None:
        """The file to continue from."""
        return self._store.newest(lambda sentence: self._reporter.log("warning", sentence))

    def read(self, path: Path | None) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The content of a file of `newest`; None when there is none, or it cannot be read."""
        if path is None:
            return None
        try:
            return read_tensors(path)
        except ValueError as error:
            self._reporter.log("warning", f"the checkpoint is damaged, starting again: {error}")
            return None

    def write(self, step: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Keep the state after a step.

        Raises:
            OSError: the disk is full or missing.
        """
        self._reporter.checkpoint()
        self._store.put(step, tensor_bytes(tensors, facts))
