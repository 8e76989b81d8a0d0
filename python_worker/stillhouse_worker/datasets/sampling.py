"""Draw a few real rows of each class."""

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from .batching import RealSplit


def draw_rows(
    tokens: RealSplit, classes: Sequence[int], draws: torch.Generator
) -> Int[Tensor, " m"]:
    """A row of each of these classes, in their order, without repeats.

    There are fewer where a class occurs more often than it has rows.
    """
    drawn = {}
    for label, count in sorted(Counter(classes).items()):
        of_class = (tokens.labels == label).nonzero()[:, 0]
        drawn[label] = of_class[torch.randperm(len(of_class), generator=draws)[:count]]
    return arranged(classes, drawn)


def draw_row_for_each(
    tokens: RealSplit, classes: Sequence[int], draws: torch.Generator
) -> Int[Tensor, " m"]:
    """A row of each of these classes, in their order; all rows of a class come before one repeats.

    Raises:
        ValueError: a class has no row.
    """
    drawn = {}
    for label, count in sorted(Counter(classes).items()):
        of_class = (tokens.labels == label).nonzero()[:, 0]
        if not len(of_class):
            raise ValueError(f"class {label} has no row")
        order = of_class[torch.randperm(len(of_class), generator=draws)]
        drawn[label] = order[torch.arange(count) % len(order)]
    return arranged(classes, drawn)


def arranged(classes: Sequence[int], rows: Mapping[int, Tensor]) -> Int[Tensor, " m"]:
    """The rows of each class in the order in which the classes occur, as far as there are rows."""
    left = {label: iter(of_class.tolist()) for label, of_class in rows.items()}
    found = (next(left[label], None) for label in classes)
    return torch.tensor([row for row in found if row is not None])
