"""When a checkpoint is written, and what an earlier attempt left behind."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from ..tensorfile import read_tensors
from .reporting import Reporter

CHECKPOINT_NAME = "checkpoint.safetensors"
# Seconds between two checkpoints.
SHORTEST_INTERVAL_S = 20.0
# Share of a run that writing may take. A checkpoint may be large: with attention labels of all
# tokens at S = 512 it holds 1.2 GB.
MOST_OF_RUN = 0.01


class CheckpointTimes:
    """Checkpoints as often as they cost little."""

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


def read_checkpoint(
    work_dir: Path, reporter: Reporter
) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors and facts of the checkpoint; None when there is none, or none that can be read."""
    path = work_dir / CHECKPOINT_NAME
    if not path.exists():
        return None
    try:
        return read_tensors(path)
    except ValueError as error:
        reporter.log("warning", f"the checkpoint is damaged, starting again: {error}")
        return None
