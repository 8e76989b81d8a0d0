"""Backpropagation through the unrolled inner loop: the oracle.

The graph of every inner step stays alive until the end, so memory grows with T.
"""

import torch

from ...learners.encoder import Params
from ..inner import leaves, sgd
from ..synthetic import Phi
from .interface import MetaGradient, MetaProblem


def unrolled(problem: MetaProblem, phi: Phi, theta: Params) -> MetaGradient:
    """Differentiate theta_T(phi) with ``create_graph=True``; see `MetaProblem`."""
    data = problem.materialise(phi)
    theta = leaves(theta)
    inner_losses, outer_losses = [], []
    for lr in data.lrs:
        loss = problem.inner_loss(data, theta)
        grads = torch.autograd.grad(loss, list(theta.values()), create_graph=True)
        theta = sgd(theta, grads, lr)
        inner_losses.append(loss.detach())
        if problem.accumulate_loss:
            outer_losses.append(problem.outer_loss(theta))
    outer_loss = sum(outer_losses) if outer_losses else problem.outer_loss(theta)
    grads = torch.autograd.grad(outer_loss, list(phi.values()))
    return MetaGradient(dict(zip(phi, grads, strict=True)), outer_loss.detach(), inner_losses)
