"""The error of an outer step whose loss or gradient is no longer finite, with advice."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from ..errors import StillhouseError

# A scale that starts at 2^16 is halved at each overflow: after this many it is 2^-9, and steps that
# still overflow would do so for ever.
MAX_SKIPS = 25


def diverged(
    quantity: str,
    value: float,
    step: int,
    weight: float | None,
    is_finite_without: Callable[[], bool],
) -> StillhouseError:
    """The failure of an outer step, with advice by the term at fault.

    Args:
        quantity, value: what is not finite.
        step: its number, from 1.
        weight: of the attention loss; None without.
        is_finite_without: whether losses and meta-gradient would be finite without that loss.
    """
    said = f"{quantity} is {value} at outer step {step}"
    if weight is not None and is_finite_without():
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


def are_finite(tensors: Iterable[Tensor | None]) -> bool:
    """Whether all numbers of the tensors that there are are finite."""
    finite = [tensor.isfinite().all() for tensor in tensors if tensor is not None]
    return bool(torch.stack(finite).all())
