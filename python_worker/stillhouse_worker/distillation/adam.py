"""Adam, without the compiler that PyTorch's optimisers bring."""

from collections.abc import Sequence

import torch
from torch import Tensor

_BETAS = (0.9, 0.999)
_EPS = 1e-8


class Adam:
    """Adam (Kingma and Ba, 2015) over leaves, equal to ``torch.optim.Adam`` to the bit.

    Every optimiser of ``torch.optim`` imports all of ``torch.compile``, which costs a worker over
    two seconds of processor time. A ``torch.amp.GradScaler`` takes this one like any of those.

    Args:
        tensors: leaves; a step leaves those without a gradient as they are.

    Attributes:
        state: for each of ``tensors``: the number of its steps (``step``, float32 on the CPU) and
            its two moments (``exp_avg``, ``exp_avg_sq``); empty before its first step.
        param_groups: where a scaler looks for the gradients.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = tensors
        self.state: list[dict[str, Tensor]] = [{} for _ in tensors]
        self.param_groups = [{"params": tensors}]

    def follow(self, grads: Sequence[Tensor | None], lr: float) -> None:
        """`step` with the given gradients, one per tensor; None leaves a tensor as it is."""
        for tensor, grad in zip(self.tensors, grads, strict=True):
            tensor.grad = grad
        self.step(lr)

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Follow the gradients at this rate."""
        moving = [index for index, tensor in enumerate(self.tensors) if tensor.grad is not None]
        for index in moving:
            self._begin(index)
        states = [self.state[index] for index in moving]
        grads = [grad for tensor in self.tensors if (grad := tensor.grad) is not None]
        for state in states:
            state["step"] += 1
        steps = [state["step"].item() for state in states]
        means = [state["exp_avg"] for state in states]
        squares = [state["exp_avg_sq"] for state in states]
        torch._foreach_lerp_(means, grads, 1 - _BETAS[0])
        torch._foreach_mul_(squares, _BETAS[1])
        torch._foreach_addcmul_(squares, grads, grads, 1 - _BETAS[1])
        spreads = torch._foreach_sqrt(squares)
        torch._foreach_div_(spreads, [(1 - _BETAS[1] ** step) ** 0.5 for step in steps])
        torch._foreach_add_(spreads, _EPS)
        rates = [-lr / (1 - _BETAS[0] ** step) for step in steps]
        torch._foreach_addcdiv_([self.tensors[index] for index in moving], means, spreads, rates)

    def _begin(self, index: int) -> None:
        tensor, state = self.tensors[index], self.state[index]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"], state["exp_avg_sq"] = (
                torch.zeros_like(tensor),
                torch.zeros_like(tensor),
            )
