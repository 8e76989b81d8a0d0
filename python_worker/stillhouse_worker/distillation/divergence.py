"""The error of an outer step whose loss or gradient is no longer finite, with advice."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from ..errors import StillhouseError
from ..learners.interface import Params
from .inner import InnerLoss, train_learner
from .synthetic import DistilledData

# A scale that starts at 2^16 is halved at each overflow: after this many it is 2^-9, and steps that
# still overflow would do so for ever.
MAX_SKIPS = 25


class Attempt(NamedTuple):
    """What an outer step was made of, for one of its learners.

    Attributes:
        step: its number, from 1.
        data: the distilled data before it.
        theta: the learner before its inner steps.
        inner_loss: what that learner is trained with.
        outer_losses: parts of the loss on real texts, functions of theta.
    """

    step: int
    data: DistilledData
    theta: Params
    inner_loss: InnerLoss
    outer_losses: Sequence[Callable[[Params], Tensor]]


def diverged(quantity: str, value: float, attempt: Attempt) -> StillhouseError:
    """The failure of a step whose ``quantity`` is ``value``, with advice by the term at fault."""
    said = f"{quantity} is {value} at outer step {attempt.step}"
    if attempt.data.attention_labels is not None and _is_finite_without_attention(attempt):
        weight = attempt.inner_loss.attention_lambda
        return StillhouseError(
            "diverged",
            f"{said}, and would be finite without the attention loss, whose weight is {weight:g}; "
            "a smaller --lambda helps, or --al-reduction keys with a --lambda near 1",
            field="distilled.attention_lambda",
        )
    return StillhouseError(
        "diverged", f"{said}; a smaller --lr or --inner-lr may help", field="outer.lr"
    )


def always_overflows(step: int) -> StillhouseError:
    """The failure of a run whose steps all overflow in fp16, whatever the scale of the loss."""
    return StillhouseError(
        "diverged",
        f"fp16 overflowed in {MAX_SKIPS} steps one after the other, up to step {step}, so nothing "
        "is learned; --precision fp32 or bf16 has the range",
        field="compute.precision",
    )


def _is_finite_without_attention(attempt: Attempt) -> bool:
    """Whether a learner trained without the attention loss has a finite loss on the real texts."""
    data = attempt.data.map(Tensor.detach)._replace(attention_labels=None)
    loss = dataclasses.replace(attempt.inner_loss, attention_lambda=0.0)
    theta = train_learner(loss, data, attempt.theta)
    return math.isfinite(sum(part(theta).item() for part in attempt.outer_losses))
