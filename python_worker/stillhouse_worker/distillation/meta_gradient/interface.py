"""What every meta-gradient method takes and returns."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from ...learners.encoder import Params
from ..synthetic import DistilledData, Phi


class MetaProblem(NamedTuple):
    """min over phi of L(theta_T), or of sum_t L(theta_t) with loss accumulation.

    Attributes:
        materialise: phi -> distilled data, differentiable.
        inner_loss: l(distilled data, theta) -> scalar, twice differentiable.
        outer_loss: L(theta) -> scalar on the real batch; once differentiable is enough.
        accumulate_loss: sum the outer loss over all inner steps.
    """

    materialise: Callable[[Phi], DistilledData]
    inner_loss: Callable[[DistilledData, Params], Tensor]
    outer_loss: Callable[[Params], Tensor]
    accumulate_loss: bool = False


class MetaGradient(NamedTuple):
    """One evaluation of the meta-gradient.

    Attributes:
        grads: d(outer loss)/d(phi), by the names of phi.
        outer_loss: the outer loss, summed where it is accumulated; no graph.
        inner_losses: l before each inner step, T of them.
    """

    grads: dict[str, Tensor]
    outer_loss: Tensor
    inner_losses: list[Tensor]


@runtime_checkable
class MetaGradientMethod(Protocol):
    """Computes the meta-gradient of ``problem`` at ``phi``, starting from ``theta``."""

    def __call__(self, problem: MetaProblem, phi: Phi, theta: Params) -> MetaGradient: ...
