"""Each step's graph differentiated as a whole: reverse mode over reverse mode.

Where there is memory, the graphs of the last steps are kept from training; those of the others are
made again when the backward pass needs them, one at a time.
"""

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from ...learners.interface import Params, is_of_head
from ..inner import inner_gradient, leaves, sgd
from ..synthetic import DistilledData, Phi
from .interface import MetaGradient, MetaProblem
from .walk import Keep, Products, Rates, Slopes, Wanted, add, learned_parts, walk


def stepwise(problem: MetaProblem, phi: Phi, theta: Params) -> MetaGradient:
    """Differentiate <v, grad_theta l> of each step; see `walk` and `MetaProblem`."""
    return walk(problem, phi, theta, _Step, _plan)


# With fewer steps, what keeping graphs saves is no more than finding out their size costs.
_FEWEST_MEASURED = 3


def _plan(problem: MetaProblem, data: DistilledData, theta: Params, num_steps: int) -> list[Keep]:
    """The last step's graph is kept in any case, since it is needed first."""
    num_kept = 1
    if num_steps >= _FEWEST_MEASURED:
        room = problem.activation_bytes // _graph_bytes(problem, data, theta)
        num_kept = max(1, min(room, num_steps))
    keeps: list[Keep] = ["nothing"] * (num_steps - num_kept)
    keeps += ["all"] * num_kept
    return keeps


def _graph_bytes(problem: MetaProblem, data: DistilledData, theta: Params) -> int:
    """Bytes that the graph of a step keeps beside data and theta; makes one to see."""
    step = _Step(problem, data, theta)
    own = [part for part in data.parts() if part is not None]
    given = {tensor.untyped_storage().data_ptr() for tensor in (*own, *step.theta.values())}
    # A node that holds its own output is never freed: it holds a number, and the list is emptied.
    held: list[Tensor] = []

    def note(tensor: Tensor) -> int:
        held.append(tensor)
        return len(held) - 1

    try:
        with problem.phase("inner"), saved_tensors_hooks(note, held.__getitem__):
            step.make_graph()
        storages = (tensor.untyped_storage() for tensor in held)
        sizes = {s.data_ptr(): s.nbytes() for s in storages if s.data_ptr() not in given}
        return max(1, sum(sizes.values()))
    finally:
        held.clear()


class _Step:
    """The inner loss at one theta, differentiable in the distilled data and in theta.

    Attributes:
        theta: leaves.
    """

    def __init__(self, problem: MetaProblem, inputs: DistilledData, theta: Params) -> None:
        self._problem, self._inputs, self.theta = problem, inputs, leaves(theta)
        self._grads: tuple[Tensor, ...] = ()

    def train(self, rates: Rates, keep: Keep) -> tuple[Tensor, Params]:
        """See `InnerStep`; what is kept is the graph of the gradient."""
        if keep == "nothing":
            loss, grads = inner_gradient(self._problem.inner_loss, self._inputs, self.theta)
            return loss, _step(self.theta, grads, rates)
        loss = self.make_graph()
        return loss.detach(), _step(self.theta, [grad.detach() for grad in self._grads], rates)

    def products(self, v: list[Tensor], lr: float, wanted: Wanted) -> Products:
        """See `InnerStep`."""
        if not self._grads:
            self.make_graph()
        learned = learned_parts(self._inputs)
        theta = list(self.theta.values()) if wanted.next_v else []
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
        named = zip(self.theta, products, strict=True)
        encoder = [product for name, product in named if not is_of_head(name)]
        return Slopes(torch.stack(products).sum(), torch.stack(encoder).sum())

    def make_graph(self) -> Tensor:
        """l, after making the graph of its gradient."""
        loss = self._problem.inner_loss(self._inputs, self.theta)
        theta = list(self.theta.values())
        self._grads = torch.autograd.grad(loss, theta, create_graph=True)
        return loss


@torch.no_grad()
def _step(theta: Params, grads: list[Tensor], rates: Rates) -> Params:
    return sgd(theta, grads, rates.head, rates.encoder_scale)
