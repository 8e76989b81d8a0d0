"""How a learner reads a split: in batches, side by side where the learner has lanes."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

from ..datasets import RealSplit, length_sorted_batches
from ..learners import Learner
from ..learners.lanes import has_lanes, num_lanes, side_by_side

# Rows per batch while measuring: enough to fill the matrix units, few enough for the caches.
MEASURE_BATCH_SIZE = 128
# Those of all lanes are at most one of the size above.
_LANE_BATCH_SIZE = 16

R = TypeVar("R")


def read_batches(
    learner: Learner, split: RealSplit, device: torch.device, read: Callable[[Tensor], R]
) -> Iterator[tuple[Tensor, R]]:
    """Row numbers and what ``read`` makes of them, longest rows first.

    The batches are the same with any number of threads.

    Args:
        learner: what reads.
        split: real data.
        device: where it is read.
        read: row numbers -> result; see `side_by_side`.
    """
    size = _LANE_BATCH_SIZE if has_lanes(learner, device) else MEASURE_BATCH_SIZE
    batches = length_sorted_batches(split.lengths, size)
    return zip(batches, side_by_side(read, batches, num_lanes(learner, device)), strict=True)
