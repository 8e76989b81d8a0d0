"""The arguments and results of every meta-gradient method."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ...learners.dropout import Dropout
from ...learners.encoder_config import EncoderConfig
from ...learners.interface import Params
from ...learners.precision import Precision
from ..losses import AttentionLoss
from ..synthetic import DistilledData, Phi
from ..timing import Phase


@runtime_checkable
class ScalarLoss(Protocol):
    """l(distilled data, theta) -> scalar, twice differentiable."""

    def __call__(self, data: DistilledData, theta: Params) -> Tensor: ...

    def of_step(self, index: int) -> "ScalarLoss":
        """That of inner step ``index``, which counts from 0; always the same function."""


@runtime_checkable
class StagedLoss(ScalarLoss, Protocol):
    """A loss whose stages a method can differentiate one by one.

    It is the cross-entropy of a head behind a chain of transformer blocks, and for each block the
    divergence of its attention from its labels, and that of the first token's vector behind it from
    its hidden label, where there are such.

    Attributes:
        config: sizes of the encoder.
        precision: of the products with weights in its derivatives; the loss itself is fp32.
        attention_loss: which divergence.
        dropout: of the blocks; None: nothing is dropped.
        labelled_layers: the blocks whose hidden labels count.
    """

    @property
    def config(self) -> EncoderConfig: ...

    @property
    def precision(self) -> Precision: ...

    @property
    def attention_loss(self) -> AttentionLoss: ...

    @property
    def labelled_layers(self) -> range: ...

    def of_states(self, first: Tensor, states: Tensor, weights: Tensor) -> Tensor:
        """What a block's hidden labels count, M x E and M, for M x E behind it."""

    @property
    def dropout(self) -> Dropout | None: ...

    def attention_weight(self, target: Float[Tensor, "m h q s"]) -> float:
        """What the divergence from a block's labels, summed over every element, counts."""

    def head(self, params: Params, hidden: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropy; ``params`` has those of the head by their full names."""


class Window(NamedTuple):
    """A range of inner steps, which count from 0.

    Attributes:
        first: the first step that the distilled data is differentiated through; what it contributes
            to earlier ones is held constant.
        end: the steps that a learner takes.
    """

    first: int
    end: int


class MetaProblem(NamedTuple):
    """min over phi of L(theta_T), or of sum_t L(theta_t) with loss accumulation.

    Attributes:
        materialise: phi -> distilled data, differentiable.
        inner_loss: l; ``blockwise`` needs a `StagedLoss`.
        outer_losses: theta -> scalar, whose sum is L on the real batch; once differentiable is
            enough. As many as ``lanes`` are computed at a time, so that more of them need less
            memory.
        accumulate_loss: sum the outer loss over all inner steps.
        trajectory_bytes: memory for copies of theta, one per inner step; where they need more, some
            are computed again. All gradients stay the same.
        host_bytes: memory of the host for those copies that ``trajectory_bytes`` has no room for; 0
            where the host's memory is the device's.
        activation_bytes: memory for the values of blocks, or for graphs, of the last inner steps
            until the walk back, and twice as much for blocks then within one step; others are
            computed again.
            All gradients stay the same.
        compiled: let `torch.compile` have the functions of a block, where the method has such.
        phase: context in which the work of a phase is done, for timing.
        window: a part of the T inner steps, at whose end the outer loss is taken, or within which
            it is summed; None: all of them.
        lanes: how many of the outer losses are computed side by side; see `side_by_side`.
    """

    materialise: Callable[[Phi], DistilledData]
    inner_loss: ScalarLoss
    outer_losses: Sequence[Callable[[Params], Tensor]]
    accumulate_loss: bool = False
    trajectory_bytes: int = 2**40
    host_bytes: int = 0
    activation_bytes: int = 2**40
    compiled: bool = False
    phase: Callable[[Phase], AbstractContextManager[None]] = lambda name: nullcontext()
    window: Window | None = None
    lanes: int = 1

    def outer_loss(self, theta: Params) -> Tensor:
        """L(theta), with one graph for all its parts."""
        return torch.stack([loss(theta) for loss in self.outer_losses]).sum()


class MetaGradient(NamedTuple):
    """One evaluation of the meta-gradient.

    Attributes:
        grads: d(outer loss)/d(phi), by the names of phi.
        outer_loss: the outer loss, summed where it is accumulated; no graph.
        inner_losses: l before each inner step, as many as are taken.
    """

    grads: dict[str, Tensor]
    outer_loss: Tensor
    inner_losses: list[Tensor]


@runtime_checkable
class MetaGradientMethod(Protocol):
    """Computes the meta-gradient of ``problem`` at ``phi``, starting from ``theta``."""

    def __call__(self, problem: MetaProblem, phi: Phi, theta: Params) -> MetaGradient: ...
