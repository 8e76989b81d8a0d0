"""Read what an earlier attempt left behind."""

from pathlib import Path
from typing import Any

from torch import Tensor

from ..tensorfile import read_tensors
from .reporting import Reporter

CHECKPOINT_NAME = "checkpoint.safetensors"


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
