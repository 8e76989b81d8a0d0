"""The backward pass over the inner steps ("walk"), which all methods but the oracle share.

    v <- grad_theta L(theta_T)
    for t = T ... 1:
        (a, h) <- derivative of (grad_data l, grad_theta l)(data; theta_{t-1}) along v of theta
        grad_data += -lr_t a,   grad lr_t = -<v, grad_theta l>
        v <- v - lr_t h         (+ grad_theta L(theta_{t-1}) with loss accumulation, t > 1)
    grad_phi <- (grad_data, grad lr) pulled back through data(phi)

Where the encoder has a rate of its own, s lr_t, both products are those along u, which is v with
the encoder's part times s; then grad lr_t = -<u, grad_theta l> and grad s = -lr_t <v, grad_theta l>
over the encoder's part.

It is what backpropagation through the unrolled loop computes, term by term, since mixed partial
derivatives commute. Only one step's graph lives at a time. The scheme is that of Kemaev et al.,
"Scalable Meta-Learning via Mixed-Mode Differentiation", ICML 2025, applied to distillation.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from ...learners.interface import Params, is_of_head
from ..summed_gradient import summed_gradient
from ..synthetic import DistilledData, Phi
from .interface import MetaGradient, MetaProblem
from .trajectory import Trajectory


class Wanted(NamedTuple):
    """Which products of a step are needed.

    Attributes:
        next_v: v - lr h; nothing before the first step needs it.
        slopes: what learned rates follow.
    """

    next_v: bool
    slopes: bool


class Rates(NamedTuple):
    """Those of an inner step.

    Attributes:
        head: of the head.
        encoder_scale: the encoder's over it; None where both have one.
    """

    head: float
    encoder_scale: float | None

    @property
    def encoder(self) -> float:
        """Of the encoder."""
        return self.head if self.encoder_scale is None else self.head * self.encoder_scale


class Slopes(NamedTuple):
    """<v, grad_theta l> over all parameters, and over the encoder's alone."""

    total: Tensor
    encoder: Tensor


class Products(NamedTuple):
    """What a step contributes, along a direction v of theta.

    Attributes:
        data: D_v grad_data l, for each learned part of the data.
        slopes: None when not wanted.
    """

    data: list[Tensor]
    slopes: Slopes | None


# How many values a step keeps from training for its products, fewest first.
Keep = Literal["nothing", "narrow", "wide", "all"]


@runtime_checkable
class InnerStep(Protocol):
    """The inner loss at one theta."""

    def train(self, rates: Rates, keep: Keep) -> tuple[Tensor, Params]:
        """l, and theta after a step along -grad_theta l as new tensors, without a graph.

        Unless ``keep`` is "nothing", `products` follows.
        """

    def products(self, v: list[Tensor], lr: float, wanted: Wanted) -> Products:
        """See `Products`; where wanted, v becomes v - lr D_v grad_theta l, in place.

        Called once at most; kept values may be freed by it.
        """


# (problem with the loss of a step, data cut from phi, theta) -> the inner loss there. A part of the
# data is learned when it requires a gradient.
MakeStep = Callable[[MetaProblem, DistilledData, Params], InnerStep]
# (problem, data, theta, n) -> what each of the last n steps keeps.
Plan = Callable[[MetaProblem, DistilledData, Params, int], list[Keep]]


def walk(
    problem: MetaProblem, phi: Phi, theta: Params, make_step: MakeStep, plan: Plan
) -> MetaGradient:
    """Train forward, keeping what the backward pass needs, then do that pass; see the module."""
    data = problem.materialise(phi)
    first, end = problem.window or (0, len(data.lrs))
    blocks = [_cut(data.of_step(index)) for index in range(data.num_blocks)]
    scale = None if data.encoder_lr_scale is None else data.encoder_lr_scale.item()
    rates = [Rates(lr, scale) for lr in data.lrs.tolist()[:end]]
    trajectory = Trajectory(end - first, theta, problem.trajectory_bytes, problem.host_bytes)
    # A step holds its theta; one whose theta is not kept keeps nothing either.
    keeps: list[Keep] = ["nothing"] * (first + trajectory.whole_from)
    keeps += plan(problem, blocks[0], theta, end - len(keeps))

    def step_at(index: int, start: Params) -> InnerStep:
        own = problem._replace(inner_loss=problem.inner_loss.of_step(index))
        return make_step(own, blocks[index % len(blocks)], start)

    kept: dict[int, InnerStep] = {}
    inner_losses = []
    with problem.phase("inner"):
        for index, (own, keep) in enumerate(zip(rates, keeps, strict=True)):
            if index >= first:
                trajectory.put(index - first, theta)
            step = step_at(index, theta)
            loss, theta = step.train(own, keep)
            inner_losses.append(loss)
            if keep != "nothing":
                kept[index] = step
            del step

    def retrain(start: Params, index: int) -> Params:
        return step_at(first + index, start).train(rates[first + index], "nothing")[1]

    outer_loss, v = outer_gradient(problem, theta)
    del theta
    cotangents = _Cotangents(data, blocks)
    for index in reversed(range(first, end)):
        with problem.phase("walk"):
            start, lr = trajectory.take(index - first, retrain), rates[index].head
            step = kept.pop(index) if index in kept else step_at(index, start)
            wanted = Wanted(next_v=index > first, slopes=data.lrs.requires_grad)
            with _scaled(v, start, scale, wanted.next_v):
                products = step.products(v, lr, wanted)
            del step
            cotangents.add(index, products, rates[index])
        if index > first and problem.accumulate_loss:
            loss, extra = outer_gradient(problem, start)
            outer_loss = outer_loss + loss
            add(v, extra, 1.0)
    return MetaGradient(_pull_back(phi, data, cotangents.whole()), outer_loss, inner_losses)


class _Cotangents:
    """What the inner steps contribute to the learned parts of each block, and to the rates."""

    def __init__(self, data: DistilledData, blocks: Sequence[DistilledData]) -> None:
        self._parts = [
            [torch.zeros_like(part) for part in learned_parts(block)] for block in blocks
        ]
        self._lrs = torch.zeros_like(data.lrs)
        self._scale = data.lrs.new_zeros(())

    def add(self, index: int, products: Products, rates: Rates) -> None:
        """The contribution of step ``index``, and its rates."""
        add(self._parts[index % len(self._parts)], products.data, -rates.head)
        if products.slopes is None:
            return
        self._lrs[index] = -products.slopes.total
        if rates.encoder_scale is not None:
            self._scale -= rates.head / rates.encoder_scale * products.slopes.encoder

    def whole(self) -> list[Tensor]:
        """Those of each learned part, of all blocks together, then of the rates and the scale."""
        joined = [
            torch.cat(parts) if len(parts) > 1 else parts[0]
            for parts in zip(*self._parts, strict=True)
        ]
        return [*joined, self._lrs, self._scale]


@contextmanager
def _scaled(v: list[Tensor], theta: Params, scale: float | None, is_moved: bool) -> Iterator[None]:
    """Inside, the encoder's part of v is times ``scale``; what moves it there moves v itself."""
    if scale is None:
        yield
        return
    parts = [part for name, part in zip(theta, v, strict=True) if not is_of_head(name)]
    rest = [part * (1 - scale) for part in parts] if is_moved else []
    for part in parts:
        part.mul_(scale)
    yield
    if is_moved:
        add(parts, rest, 1.0)


def _cut(data: DistilledData) -> DistilledData:
    """The same values as leaves, which require a gradient where they are learned."""
    return data.map(lambda part: part.detach().requires_grad_(part.requires_grad))


def outer_gradient(problem: MetaProblem, theta: Params) -> tuple[Tensor, list[Tensor]]:
    """L and grad_theta L; the graphs of as many parts at a time as there are lanes."""
    with problem.phase("outer"):
        return summed_gradient(problem.outer_losses, theta, problem.lanes)


def add(totals: Sequence[Tensor], terms: Sequence[Tensor], factor: float) -> None:
    """totals += factor * terms, in place."""
    for total, term in zip(totals, terms, strict=True):
        total.add_(term, alpha=factor)


def learned_parts(data: DistilledData) -> list[Tensor]:
    """X, class labels and attention labels, as far as they are learned."""
    return [part for part in data.parts() if part is not None and part.requires_grad]


def _pull_back(phi: Phi, data: DistilledData, cotangents: list[Tensor]) -> dict[str, Tensor]:
    """Cotangents of the learned parts of the data, then of its rates, to those of phi.

    They are computed as the gradients of one scalar: for several outputs, PyTorch would load its
    symbolic shapes, which takes most of a second.
    """
    parts = learned_parts(data)
    if data.lrs.requires_grad:
        parts.append(data.lrs)
        if data.encoder_lr_scale is not None:
            parts.append(data.encoder_lr_scale)
    pairs = zip(parts, cotangents[: len(parts)], strict=True)
    total = torch.stack([(part * cotangent).sum() for part, cotangent in pairs]).sum()
    grads = torch.autograd.grad(total, list(phi.values()))
    return dict(zip(phi, grads, strict=True))
