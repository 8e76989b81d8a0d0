"""The outer loss: cross-entropy of a learner on real data."""

import functools
import itertools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..learners import Learner
from ..learners.dropout import Dropout
from ..learners.interface import Params
from ..learners.precision import Precision, autocast


def num_parts(device: torch.device, num_rows: int) -> int:
    """In how many parts a batch is computed, whatever the number of threads.

    On a CPU quarters of 32 texts take as long as the whole on one thread, can be computed side by
    side on several (`lanes`), and need much less memory, which the values of inner steps are kept
    in. Parts of fewer than four rows would not pay.
    """
    if device.type != "cpu" or num_rows < 8:
        return 1
    return 2 if num_rows < 32 else 4


def outer_losses(
    learner: Learner,
    entry: Tensor,
    mask: Tensor | None,
    labels: Tensor,
    precision: Precision = "fp32",
    parts: int = 1,
    dropout: Dropout | None = None,
) -> list[Callable[[Params], Tensor]]:
    """The mean cross-entropy of a batch as a sum over parts of it.

    Args:
        learner: what theta is of.
        entry: the real data as it enters the learner, b samples.
        mask: b x S, True where there is a token; None where every position counts.
        labels: b, their classes.
        precision: of the products.
        parts: how many, at most b.
        dropout: of the learner; each part has masks of its own.

    Returns:
        As many functions theta -> scalar as parts.
    """

    def loss(index: int, rows: slice, theta: Params) -> Tensor:
        own = dropout and dropout.within("part", index)
        with autocast(entry.device, precision):
            own_mask = None if mask is None else mask[rows]
            output = learner.forward(theta, entry[rows], own_mask, derivatives=1, dropout=own)
        return F.cross_entropy(output.logits.float(), labels[rows], reduction="sum") / len(labels)

    bounds = [index * len(labels) // parts for index in range(parts + 1)]
    return [
        functools.partial(loss, index, slice(start, end))
        for index, (start, end) in enumerate(itertools.pairwise(bounds))
    ]
