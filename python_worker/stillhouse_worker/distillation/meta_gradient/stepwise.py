"""One step's graph at a time, differentiated as a whole: reverse mode over reverse mode."""

from typing import NamedTuple

import torch
from torch import Tensor

from ...learners.encoder import Params
from ..inner import leaves
from ..synthetic import DistilledData, Phi
from .interface import MetaGradient, MetaProblem
from .walk import Products, Wanted, add, learned_parts, walk


class _Step(NamedTuple):
    """grad_theta l at one theta, differentiable in the distilled data and in theta."""

    inputs: DistilledData
    theta: Params
    loss: Tensor
    grads: tuple[Tensor, ...]

    def gradient(self) -> tuple[Tensor, list[Tensor]]:
        return self.loss.detach(), [grad.detach() for grad in self.grads]

    def products(self, v: list[Tensor], lr: float, wanted: Wanted) -> Products:
        learned = learned_parts(self.inputs)
        theta = list(self.theta.values()) if wanted.next_v else []
        slope = _dot(v, self.grads) if wanted.slope else None
        products = torch.autograd.grad(
            self.grads, [*learned, *theta], grad_outputs=v, materialize_grads=True
        )
        if wanted.next_v:
            add(v, products[len(learned) :], -lr)
        return Products(list(products[: len(learned)]), slope)


def _make_step(problem: MetaProblem, inputs: DistilledData, theta: Params) -> _Step:
    theta = leaves(theta)
    loss = problem.inner_loss(inputs, theta)
    grads = torch.autograd.grad(loss, list(theta.values()), create_graph=True)
    return _Step(inputs, theta, loss, grads)


def stepwise(problem: MetaProblem, phi: Phi, theta: Params) -> MetaGradient:
    """Differentiate <v, grad_theta l> of each step; see `walk` and `MetaProblem`."""
    return walk(problem, phi, theta, _make_step)


def _dot(left: list[Tensor], right: tuple[Tensor, ...]) -> Tensor:
    products = [
        torch.dot(a.flatten(), b.detach().flatten()) for a, b in zip(left, right, strict=True)
    ]
    return torch.stack(products).sum()
