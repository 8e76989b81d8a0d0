"""The gradient of a loss that is a sum of parts, some of which are computed side by side."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..learners.interface import Params
from ..learners.lanes import side_by_side
from .inner import leaves

# theta -> scalar.
Part = Callable[[Params], Tensor]


def summed_gradient(
    parts: Sequence[Part], theta: Params, lanes: int
) -> tuple[Tensor, list[Tensor]]:
    """The sum of the parts and its gradient, in the order of theta; zeros where there is none.

    With any number of lanes the same terms are added in the same order.

    Args:
        parts: at least one; once differentiable is enough.
        theta: where.
        lanes: how many parts are computed at a time; each lane has a gradient of its own.
    """
    if lanes == 1:
        return _one_by_one(parts, theta)
    losses: list[Tensor] = []
    totals: list[Tensor] = []
    for loss, grads in side_by_side(lambda part: _one_by_one([part], theta), parts, lanes):
        losses.append(loss)
        if totals:
            for total, grad in zip(totals, grads, strict=True):
                total.add_(grad)
        else:
            totals = grads
    return torch.stack(losses).sum(), totals


def _one_by_one(parts: Sequence[Part], theta: Params) -> tuple[Tensor, list[Tensor]]:
    """One gradient, to which each part adds; one part's graph at a time."""
    own, losses = leaves(theta), []
    for part in parts:
        loss = part(own)
        loss.backward(inputs=list(own.values()))  # type: ignore[no-untyped-call]
        losses.append(loss.detach())
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in own.values()]
    return torch.stack(losses).sum(), grads
