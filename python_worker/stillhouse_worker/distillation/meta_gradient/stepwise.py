"""One step's graph at a time, differentiated as a whole: reverse mode over reverse mode."""

import torch
from torch import Tensor

from ...learners.interface import Params
from ..inner import inner_gradient, leaves, sgd
from ..synthetic import DistilledData, Phi
from .interface import MetaGradient, MetaProblem
from .walk import Keep, Products, Wanted, add, learned_parts, walk


def stepwise(problem: MetaProblem, phi: Phi, theta: Params) -> MetaGradient:
    """Differentiate <v, grad_theta l> of each step; see `walk` and `MetaProblem`."""
    return walk(problem, phi, theta, _Step, _plan)


def _plan(
    _problem: MetaProblem, _data: DistilledData, _theta: Params, num_steps: int
) -> list[Keep]:
    keeps: list[Keep] = ["nothing"] * (num_steps - 1)
    return [*keeps, "all"]


class _Step:
    """The inner loss at one theta, differentiable in the distilled data and in theta."""

    def __init__(self, problem: MetaProblem, inputs: DistilledData, theta: Params) -> None:
        self._problem, self._inputs, self._theta = problem, inputs, leaves(theta)
        self._grads: tuple[Tensor, ...] = ()

    def train(self, lr: float, keep: Keep) -> tuple[Tensor, Params]:
        """See `InnerStep`; what is kept is the graph of the gradient."""
        if keep == "nothing":
            loss, grads = inner_gradient(self._problem.inner_loss, self._inputs, self._theta)
            return loss, _step(self._theta, grads, lr)
        loss = self._make_graph()
        return loss.detach(), _step(self._theta, [grad.detach() for grad in self._grads], lr)

    def products(self, v: list[Tensor], lr: float, wanted: Wanted) -> Products:
        """See `InnerStep`."""
        if not self._grads:
            self._make_graph()
        learned = learned_parts(self._inputs)
        theta = list(self._theta.values()) if wanted.next_v else []
        slope = _dot(v, self._grads) if wanted.slope else None
        products = torch.autograd.grad(
            self._grads, [*learned, *theta], grad_outputs=v, materialize_grads=True
        )
        if wanted.next_v:
            add(v, products[len(learned) :], -lr)
        return Products(list(products[: len(learned)]), slope)

    def _make_graph(self) -> Tensor:
        loss = self._problem.inner_loss(self._inputs, self._theta)
        theta = list(self._theta.values())
        self._grads = torch.autograd.grad(loss, theta, create_graph=True)
        return loss


@torch.no_grad()
def _step(theta: Params, grads: list[Tensor], lr: float) -> Params:
    return sgd(theta, grads, lr)


def _dot(left: list[Tensor], right: tuple[Tensor, ...]) -> Tensor:
    products = [
        torch.dot(a.flatten(), b.detach().flatten()) for a, b in zip(left, right, strict=True)
    ]
    return torch.stack(products).sum()
