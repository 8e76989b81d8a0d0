"""Draw a few real rows of each class."""

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from .batching import RealSplit


def draw_rows(
    tokens: RealSplit, classes: Sequence[int], draws: torch.Generator, *, repeats: bool = False
) -> Int[Tensor, " m"]:
    """A row of each of these classes, in their order; all rows of a class come before one repeats.

    Args:
        tokens: the rows.
        classes: of the rows that are wanted; with repeats each has a row.
        draws: generator of the draw.
        repeats: whether rows repeat where a class occurs more often than it has rows; without,
            there are fewer then.
    """
    drawn = {}
    for label, count in sorted(Counter(classes).items()):
        of_class = (tokens.labels == label).nonzero()[:, 0]
        order = of_class[torch.randperm(len(of_class), generator=draws)]
        drawn[label] = order[torch.arange(count) % len(order)] if repeats else order[:count]
    return arranged(classes, drawn)


def arranged(classes: Sequence[int], rows: Mapping[int, Tensor]) -> Int[Tensor, " m"]:
    """The rows of each class in the order in which the classes occur, as far as there are rows."""
    left = {label: iter(of_class.tolist()) for label, of_class in rows.items()}
    found = (next(left[label], None) for label in classes)
    return torch.tensor([row for row in found if row is not None])
