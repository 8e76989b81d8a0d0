"""Backpropagation through the unrolled inner loop: the oracle.

The graph of every inner step stays alive until the end, so memory grows with T.
"""

import torch
from torch import Tensor

from ...learners.interface import Params
from ..inner import leaves, sgd
from ..synthetic import Phi
from .interface import MetaGradient, MetaProblem


def unrolled(problem: MetaProblem, phi: Phi, theta: Params) -> MetaGradient:
    """Differentiate theta_T(phi) with ``create_graph=True``; see `MetaProblem`."""
    data = problem.materialise(phi)
    theta = leaves(theta)
    inner_losses: list[Tensor] = []
    outer_losses: list[Tensor] = []
    first, end = problem.window or (0, len(data.lrs))
    for index, lr in enumerate(data.lrs[:end]):
        is_constant = index < first
        with problem.phase("inner"):
            loss = problem.inner_loss.of_step(index)(data.of_step(index), theta)
            grads = torch.autograd.grad(loss, list(theta.values()), create_graph=not is_constant)
            theta = sgd(theta, grads, lr, data.encoder_lr_scale)
            if is_constant:
                theta = leaves(theta)
            inner_losses.append(loss.detach())
        if (problem.accumulate_loss and not is_constant) or index == end - 1:
            with problem.phase("outer"):
                outer_losses.append(problem.outer_loss(theta))
    with problem.phase("walk"):
        outer_loss = torch.stack(outer_losses).sum()
        grads = torch.autograd.grad(outer_loss, list(phi.values()))
    return MetaGradient(dict(zip(phi, grads, strict=True)), outer_loss.detach(), inner_losses)
