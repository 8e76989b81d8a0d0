"""Adam and AdamW, without the compiler that PyTorch's optimisers bring."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from .rates import Rates, rate_of_each

BETAS = (0.9, 0.999)
_EPS = 1e-8


class Adam:
    """Adam (Kingma and Ba, 2015) over leaves, equal to ``torch.optim.Adam`` to the bit.

    With a decay it is AdamW (Loshchilov and Hutter, 2019), equal to ``torch.optim.AdamW``.

    Every optimiser of ``torch.optim`` imports all of ``torch.compile``, which costs a worker over
    two seconds of processor time. A ``torch.amp.GradScaler`` takes this one like any of those.

    Args:
        tensors: leaves; a step leaves those without a gradient as they are.
        betas: decay of the means of gradients and of their squares, each in [0, 1).
        weight_decay: share of its rate by which a step shrinks each value, >= 0; of all tensors,
            or of each.

    Attributes:
        state: for each of ``tensors``: the number of its steps (``step``, float32 on the CPU) and
            its two moments (``exp_avg``, ``exp_avg_sq``); empty before its first step.
        param_groups: where a scaler looks for the gradients.
    """

    name: ClassVar[str] = "adam"
    state_keys: ClassVar[tuple[str, ...]] = ("step", "exp_avg", "exp_avg_sq")

    def __init__(
        self,
        tensors: Sequence[Tensor],
        betas: tuple[float, float] = BETAS,
        weight_decay: Rates = 0.0,
    ) -> None:
        self.tensors, self._betas = tensors, betas
        self._decays = rate_of_each(weight_decay, len(tensors))
        self.state: list[dict[str, Tensor]] = [{} for _ in tensors]
        self.param_groups = [{"params": tensors}]

    def follow(self, grads: Sequence[Tensor | None], lr: float) -> None:
        """`step` with the given gradients, one per tensor; None leaves a tensor as it is."""
        for tensor, grad in zip(self.tensors, grads, strict=True):
            tensor.grad = grad
        self.step(lr)

    @torch.no_grad()
    def step(self, lr: Rates) -> None:
        """Follow the gradients at this rate, or each tensor at its own."""
        moving = [index for index, tensor in enumerate(self.tensors) if tensor.grad is not None]
        for index in moving:
            self._begin(index)
        each = rate_of_each(lr, len(self.tensors))
        lrs, states = [each[index] for index in moving], [self.state[index] for index in moving]
        tensors = [self.tensors[index] for index in moving]
        grads = [grad for tensor in tensors if (grad := tensor.grad) is not None]
        if any(self._decays):
            decays = [self._decays[index] for index in moving]
            shares = [1 - rate * decay for rate, decay in zip(lrs, decays, strict=True)]
            torch._foreach_mul_(tensors, shares)
        beta1, beta2 = self._betas
        for state in states:
            state["step"] += 1
        steps = [state["step"].item() for state in states]
        means = [state["exp_avg"] for state in states]
        squares = [state["exp_avg_sq"] for state in states]
        torch._foreach_lerp_(means, grads, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, grads, grads, 1 - beta2)
        spreads = torch._foreach_sqrt(squares)
        torch._foreach_div_(spreads, [(1 - beta2**step) ** 0.5 for step in steps])
        torch._foreach_add_(spreads, _EPS)
        rates = [-rate / (1 - beta1**step) for rate, step in zip(lrs, steps, strict=True)]
        torch._foreach_addcdiv_(tensors, means, spreads, rates)

    def _begin(self, index: int) -> None:
        tensor, state = self.tensors[index], self.state[index]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"], state["exp_avg_sq"] = (
                torch.zeros_like(tensor),
                torch.zeros_like(tensor),
            )
