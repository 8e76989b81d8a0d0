"""Draw a few real rows of each class."""

import torch
from jaxtyping import Int
from torch import Tensor

from .batching import TokenSplit


def draw_rows(
    tokens: TokenSplit, num_classes: int, per_class: int, draws: torch.Generator
) -> Int[Tensor, " m"]:
    """``per_class`` rows of each class in turn, without repeats; fewer where a class has fewer."""
    rows = []
    for label in range(num_classes):
        of_class = (tokens.labels == label).nonzero()[:, 0]
        rows.append(of_class[torch.randperm(len(of_class), generator=draws)[:per_class]])
    return torch.cat(rows)
