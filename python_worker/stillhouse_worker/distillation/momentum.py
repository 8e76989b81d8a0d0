"""Stochastic gradient descent with momentum, without the compiler of ``torch.optim``."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from .rates import Rates, rate_of_each


class Sgd:
    """SGD over leaves, equal to ``torch.optim.SGD`` to the bit; see `Adam` for why it is here.

    Args:
        tensors: leaves; a step leaves those without a gradient as they are.
        momentum: in [0, 1).

    Attributes:
        state: for each of ``tensors``: ``momentum_buffer``; empty before its first step, and
            without momentum.
        param_groups: where a scaler looks for the gradients.
    """

    name: ClassVar[str] = "sgd"
    state_keys: ClassVar[tuple[str, ...]] = ("momentum_buffer",)

    def __init__(self, tensors: Sequence[Tensor], momentum: float = 0.0) -> None:
        self.tensors, self._momentum = tensors, momentum
        self.state: list[dict[str, Tensor]] = [{} for _ in tensors]
        self.param_groups = [{"params": tensors}]

    @torch.no_grad()
    def step(self, lr: Rates) -> None:
        """Follow the gradients at this rate, or each tensor at its own."""
        rates = rate_of_each(lr, len(self.tensors))
        for tensor, state, rate in zip(self.tensors, self.state, rates, strict=True):
            if tensor.grad is not None:
                tensor.add_(self._direction(tensor.grad, state), alpha=-rate)

    def _direction(self, grad: Tensor, state: dict[str, Tensor]) -> Tensor:
        if not self._momentum:
            return grad
        if not state:
            state["momentum_buffer"] = grad.clone()
            return grad
        return state["momentum_buffer"].mul_(self._momentum).add_(grad)
