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
    for lr in data.lrs:
        with problem.phase("inner"):
            loss = problem.inner_loss(data, theta)
            grads = torch.autograd.grad(loss, list(theta.values()), create_graph=True)
            theta = sgd(theta, grads, lr)
            inner_losses.append(loss.detach())
        if problem.accumulate_loss or len(inner_losses) == len(data.lrs):
            with problem.phase("outer"):
                outer_losses.append(problem.outer_loss(theta))
    with problem.phase("walk"):
        outer_loss = torch.stack(outer_losses).sum()
        grads = torch.autograd.grad(outer_loss, list(phi.values()))
    return MetaGradient(dict(zip(phi, grads, strict=True)), outer_loss.detach(), inner_losses)
