"""The outer loss: cross-entropy of a learner on real data."""

import functools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..learners import Learner
from ..learners.interface import Params
from ..learners.precision import Precision, autocast


def num_parts(device: torch.device) -> int:
    """In how many parts the outer batch is computed.

    On a CPU quarters take as long as the whole (within 2 % at 32 x 64 tokens, in fp32 and bf16)
    and need much less memory, which the values of inner steps are kept in.
    """
    return 4 if device.type == "cpu" else 1


def outer_losses(
    learner: Learner,
    entry: Tensor,
    mask: Tensor | None,
    labels: Tensor,
    precision: Precision = "fp32",
    parts: int = 1,
) -> list[Callable[[Params], Tensor]]:
    """The mean cross-entropy of a batch as a sum over parts of it.

    Args:
        learner: what theta is of.
        entry: the real data as it enters the learner, b samples.
        mask: b x S, True where there is a token; None where every position counts.
        labels: b, their classes.
        precision: of the products.
        parts: how many, at most b.

    Returns:
        Functions theta -> scalar.
    """

    def loss(rows: slice, theta: Params) -> Tensor:
        with autocast(entry.device, precision):
            own_mask = None if mask is None else mask[rows]
            logits = learner.forward(theta, entry[rows], own_mask, derivatives=1).logits
        return F.cross_entropy(logits.float(), labels[rows], reduction="sum") / len(labels)

    size = -(-len(labels) // parts)
    starts = range(0, len(labels), size)
    return [functools.partial(loss, slice(start, start + size)) for start in starts]
