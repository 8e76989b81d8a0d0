"""One step's graph at a time, differentiated as a whole: reverse mode over reverse mode."""

import torch
from torch import Tensor

from ...learners.interface import Params, is_of_head
from ..inner import inner_gradient, leaves, sgd
from ..synthetic import DistilledData, Phi
from .interface import MetaGradient, MetaProblem
from .walk import Keep, Products, Rates, Slopes, Wanted, add, learned_parts, walk


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

    def train(self, rates: Rates, keep: Keep) -> tuple[Tensor, Params]:
        """See `InnerStep`; what is kept is the graph of the gradient."""
        if keep == "nothing":
            loss, grads = inner_gradient(self._problem.inner_loss, self._inputs, self._theta)
            return loss, _step(self._theta, grads, rates)
        loss = self._make_graph()
        return loss.detach(), _step(self._theta, [grad.detach() for grad in self._grads], rates)

    def products(self, v: list[Tensor], lr: float, wanted: Wanted) -> Products:
        """See `InnerStep`."""
        if not self._grads:
            self._make_graph()
        learned = learned_parts(self._inputs)
        theta = list(self._theta.values()) if wanted.next_v else []
        slopes = self._slopes(v) if wanted.slopes else None
        products = torch.autograd.grad(
            self._grads, [*learned, *theta], grad_outputs=v, materialize_grads=True
        )
        if wanted.next_v:
            add(v, products[len(learned) :], -lr)
        return Products(list(products[: len(learned)]), slopes)

    def _slopes(self, v: list[Tensor]) -> Slopes:
        """See `Slopes`."""
        products = [
            torch.dot(a.flatten(), b.detach().flatten())
            for a, b in zip(v, self._grads, strict=True)
        ]
        named = zip(self._theta, products, strict=True)
        encoder = [product for name, product in named if not is_of_head(name)]
        return Slopes(torch.stack(products).sum(), torch.stack(encoder).sum())

    def _make_graph(self) -> Tensor:
        loss = self._problem.inner_loss(self._inputs, self._theta)
        theta = list(self._theta.values())
        self._grads = torch.autograd.grad(loss, theta, create_graph=True)
        return loss


@torch.no_grad()
def _step(theta: Params, grads: list[Tensor], rates: Rates) -> Params:
    return sgd(theta, grads, rates.head, rates.encoder_scale)
