"""The outer loop: distilled data follows the meta-gradient."""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..datasets import RealSplit, epoch_batches
from ..datasets.augmentation import Augmentation, augmented
from ..learners import Learner
from ..learners.interface import Params
from ..learners.lanes import num_lanes
from ..learners.precision import Precision
from ..learners.starts import Starts
from ..seeding import generator
from .divergence import are_finite, diverged
from .inner import InnerLoss
from .inner_rates import RATE_NAMES
from .meta_gradient import METHODS, MetaGradient, MetaProblem, Window
from .outer_loss import num_parts, outer_losses
from .rates import Schedule, ScheduleKind, rate_of_each
from .scaled_optimiser import ADAM, OptimiserConfig, ScaledOptimiser
from .synthetic import HIDDEN_WEIGHTS, Phi, SyntheticConfig, materialise
from .team import ALONE, Team
from .timing import PhaseClock

# Inner rates, and what follows their rate.
_RATES = (*RATE_NAMES, HIDDEN_WEIGHTS)

# A part of the loss on real texts.
OuterLoss = Callable[[Params], Tensor]


class OuterConfig(NamedTuple):
    """How the distilled data is trained.

    Attributes:
        num_steps: outer steps.
        lr: the optimiser's rate at its peak, alpha.
        batch_size: real texts per outer step.
        clip: largest norm of the meta-gradient over all of phi; infinite: it is not clipped.
        warmup_fraction: share of the steps in which the rate rises linearly.
        accumulate_loss: sum the outer loss over the inner steps.
        method: a name in `METHODS`.
        trajectory_bytes: memory for copies of theta, one per inner step; see `MetaProblem`.
        host_bytes: memory of the host for more of them; not used on a CPU.
        activation_bytes: memory for what a method keeps of a step's blocks; see `MetaProblem`.
        compiled: `torch.compile` for the functions of a block; see `MetaProblem`.
        inits_per_step: heads drawn per outer step, K; their meta-gradients are averaged.
        optimiser: which one.
        schedule: of the rates after the warm-up; see `Schedule`.
        lr_decay, lr_decay_steps: of the schedule "step".
        window: inner steps that the meta-gradient goes back through, at most T; 0: all. Which of
            the T steps is the last one of them is drawn anew at each outer step.
        labels_lr, rates_lr: rates at their peak of the class labels, and of inner rates and hidden
            weights; None: ``lr``.
        labels_weight_decay, rates_weight_decay: the same tensors' weight decay; None: that of
            ``optimiser``.
        augmentation: of the real images; texts stay as they are.
    """

    num_steps: int
    lr: float
    batch_size: int
    clip: float
    warmup_fraction: float
    accumulate_loss: bool
    method: str
    trajectory_bytes: int
    host_bytes: int
    activation_bytes: int
    compiled: bool
    inits_per_step: int
    optimiser: OptimiserConfig = ADAM
    schedule: ScheduleKind = "linear"
    lr_decay: float = 0.5
    lr_decay_steps: int = 1
    labels_lr: float | None = None
    rates_lr: float | None = None
    labels_weight_decay: float | None = None
    rates_weight_decay: float | None = None
    window: int = 0
    augmentation: Augmentation = "none"

    def peak(self, name: str) -> float:
        """The rate at its peak of the tensor of phi with this name."""
        own = _own(name, self.labels_lr, self.rates_lr)
        return self.lr if own is None else own

    def optimiser_of(self, names: Iterable[str]) -> OptimiserConfig:
        """The optimiser of the tensors of phi with these names, in their order."""
        owns = [_own(name, self.labels_weight_decay, self.rates_weight_decay) for name in names]
        usual = rate_of_each(self.optimiser.weight_decay, len(owns))
        decays = [of_all if own is None else own for of_all, own in zip(usual, owns, strict=True)]
        return self.optimiser._replace(weight_decay=decays)

    def rate(self, name: str, step: int) -> float:
        """The rate of a tensor of phi at ``step``, which counts from 0."""
        schedule = Schedule(self.schedule, self.warmup_fraction, self.lr_decay, self.lr_decay_steps)
        return schedule.rate(step, self.num_steps, self.peak(name))


def _own(name: str, of_labels: float | None, of_rates: float | None) -> float | None:
    """What the tensor of phi with this name has of its own."""
    return {"labels": of_labels, **dict.fromkeys(_RATES, of_rates)}.get(name)


class OuterProblem(NamedTuple):
    """The fixed parts of the outer problem.

    Attributes:
        synthetic: which tensors are learned.
        inner_loss: what learners are trained with, for any of them.
        learner: what is trained, on the device where to compute.
        train, starts: the real texts, and where learners start from.
        precision: of the outer batch; updates are fp32.
        seed: of the batches, and of dropout in inner steps.
        device: where to compute.
        targets: C, the class that rows of each class are to be taken for; None: itself.
    """

    synthetic: SyntheticConfig
    inner_loss: InnerLoss
    learner: Learner
    train: RealSplit
    starts: Starts
    precision: Precision
    seed: int
    device: torch.device
    targets: Tensor | None = None


class OuterStep(NamedTuple):
    """What one outer step measured; losses before its update, means over its heads.

    Attributes:
        outer_loss: on the real batch after the inner steps.
        inner_loss: on the distilled data before the first inner step.
        grad_norm: norm of the meta-gradient before clipping.
        skipped: the update was skipped because fp16 overflowed.
    """

    outer_loss: float
    inner_loss: float
    grad_norm: float
    skipped: bool


class OuterLoop:
    """phi, what is held of it, its optimiser, and where in the schedule they are.

    Everything random is a function of (seed, step), so the tensors of `state` and the step are
    all that a resume needs.
    """

    def __init__(
        self, config: OuterConfig, problem: OuterProblem, phi: Phi, team: Team = ALONE
    ) -> None:
        self.config, self.problem, self.team = config, problem, team
        device = problem.device
        start = {name: tensor.detach().to(device) for name, tensor in phi.items()}
        held = problem.synthetic.held
        self._held: Phi = {name: tensor for name, tensor in start.items() if name in held}
        self.phi: Phi = {n: p.requires_grad_() for n, p in start.items() if n not in held}
        optimiser = config.optimiser_of(self.phi)
        self.optimiser = ScaledOptimiser(self.phi, device, problem.precision, optimiser)
        self.step, self.clock = 0, PhaseClock(device)
        self._epoch: tuple[int, list[Tensor]] = (-1, [])

    def advance(self) -> OuterStep:
        """Run one outer step; in a team, together with the others.

        Each member takes its share of the heads, or of the batch where the heads cannot be shared
        out evenly. All add up, and all make the same update.

        Raises:
            StillhouseError: ``diverged`` when a loss or the gradient is no longer finite.
        """
        with self.clock.phase("data"):
            rows = self._rows()
            inits, own = self._share(rows)
            # A member may have no row of a small batch; it waits for the others' sums.
            parts = self._losses(own) if len(own) else []
        weight = len(own) / (len(rows) * self.config.inits_per_step)
        losses = torch.zeros(2, device=self.problem.device)
        grads = {name: torch.zeros_like(tensor) for name, tensor in self.phi.items()}
        for init in inits if len(own) else ():
            result = self._meta_gradient(parts, init, self.problem.synthetic, self.phi)
            losses.add_(torch.stack([result.inner_losses[0], result.outer_loss]), alpha=weight)
            for name, grad in result.grads.items():
                grads[name].add_(grad, alpha=weight)
        if self.team.size > 1:
            with self.clock.phase("team"):
                self.team.total([*grads.values(), losses])
        inner_loss, outer_loss = losses.tolist()
        self._check_finite("the inner loss", inner_loss)
        self._check_finite("the outer loss", outer_loss)
        for name, tensor in self.phi.items():
            tensor.grad = grads[name]
        update = self._update()
        self.step += 1
        return OuterStep(outer_loss, inner_loss, *update)

    def _share(self, rows: Tensor) -> tuple[range, Tensor]:
        """This member's heads and rows of the batch."""
        rank, size, count = self.team.rank, self.team.size, self.config.inits_per_step
        if count % size == 0:
            return range(rank, count, size), rows
        return range(count), rows[rank::size]

    def _meta_gradient(
        self, parts: Sequence[OuterLoss], init: int, synthetic: SyntheticConfig, phi: Phi
    ) -> MetaGradient:
        """The meta-gradient for one head; ``parts`` are those of the outer loss."""
        config = self.config
        problem = MetaProblem(
            lambda phi: materialise(synthetic, self._held | phi),
            self._inner_loss(init),
            [functools.partial(self._scaled, loss) for loss in parts],
            config.accumulate_loss,
            config.trajectory_bytes,
            0 if self.problem.device.type == "cpu" else config.host_bytes,
            config.activation_bytes,
            config.compiled,
            self.clock.phase,
            self._window(),
            num_lanes(self.problem.learner, self.problem.device),
        )
        result = METHODS[config.method](problem, phi, self._theta(init))
        return result._replace(outer_loss=result.outer_loss / self.optimiser.scaler.get_scale())

    def _window(self) -> Window | None:
        """The inner steps of this outer step, as those of RaT-BPTT (Feng et al., 2023)."""
        num_steps, size = self.problem.synthetic.num_steps, self.config.window
        if size in (0, num_steps):
            return None
        draw = generator(self.problem.seed, "window", self.step)
        first = int(torch.randint(num_steps - size + 1, (), generator=draw))
        return Window(first, first + size)

    def _theta(self, init: int) -> Params:
        """The learner before the inner steps of this outer step, for the ``init``-th of K heads."""
        return self.problem.starts.of_outer_step(self._draw(init))

    def _inner_loss(self, init: int) -> InnerLoss:
        """What that learner is trained with."""
        return self.problem.inner_loss.of_learner(self.problem.seed, "outer step", self._draw(init))

    def _draw(self, init: int) -> int:
        """The number of that learner among those of all outer steps."""
        return self.step * self.config.inits_per_step + init

    def _losses(self, rows: Tensor) -> list[OuterLoss]:
        """The parts of the outer loss on these rows of train, whose texts are embedded once."""
        problem = self.problem
        draws = generator(problem.seed, "augmentation", self.step)
        batch = augmented(problem.train, rows, self.config.augmentation, draws).to(problem.device)
        return outer_losses(
            problem.learner,
            problem.learner.embed(*batch.inputs),
            batch.mask,
            batch.labels if problem.targets is None else problem.targets[batch.labels],
            problem.precision,
            num_parts(problem.device, len(rows)),
        )

    def _scaled(self, loss: OuterLoss, theta: Params) -> Tensor:
        return self.optimiser.scaler.scale(loss(theta))

    def _update(self) -> tuple[float, bool]:
        """Follow the clipped gradients; their norm before that, and whether fp16 overflowed."""
        config, optimiser = self.config, self.optimiser
        optimiser.unscale()
        tensors = list(self.phi.values())
        # An infinite norm of finite gradients, whose squares overflow fp32, is not mended by a
        # smaller scale, and an optimiser that divides by it would stand still.
        overflowed = optimiser.scaler.is_enabled() and not are_finite(t.grad for t in tensors)
        norm = torch.nn.utils.clip_grad_norm_(tensors, config.clip).item()
        if not overflowed:
            self._check_finite("the norm of the meta-gradient", norm)
        optimiser.update([config.rate(name, self.step) for name in self.phi])
        if not overflowed and not are_finite(tensors):
            self._check_finite("a value of the distilled data after the update", math.nan)
        optimiser.count(overflowed, self.step + 1)
        return norm, overflowed

    def _rows(self) -> Tensor:
        """The rows of train that this step's batch has."""
        train = self.problem.train
        per_epoch = -(-len(train.labels) // self.config.batch_size)
        epoch, index = divmod(self.step, per_epoch)
        if self._epoch[0] != epoch:
            draws = generator(self.problem.seed, "outer batches", epoch)
            self._epoch = (epoch, epoch_batches(train.lengths, self.config.batch_size, draws))
        return self._epoch[1][index]

    def _check_finite(self, quantity: str, value: float) -> None:
        if math.isfinite(value):
            return
        has_attention = self.problem.synthetic.attention_labels != "none"
        weight = self.problem.inner_loss.attention_lambda if has_attention else None
        raise diverged(quantity, value, self.step + 1, weight, self._is_finite_without_attention)

    def _is_finite_without_attention(self) -> bool:
        """Whether everything about this step's first head would be, without the attention loss."""
        synthetic = self.problem.synthetic._replace(attention_labels="none")
        phi = {name: tensor for name, tensor in self.phi.items() if name != "attention"}
        result = self._meta_gradient(self._losses(self._rows()), 0, synthetic, phi)
        norm = torch.nn.utils.get_total_norm(result.grads.values())
        return are_finite([result.outer_loss, *result.inner_losses, norm])

    @property
    def all_phi(self) -> Phi:
        """What the distilled data follows from: phi, and what is held of it."""
        return self._held | self.phi

    def state(self) -> dict[str, Tensor]:
        """Tensors that, with ``step``, determine everything that follows."""
        tensors = {f"phi.{name}": tensor.detach() for name, tensor in self.all_phi.items()}
        return tensors | self.optimiser.state()

    def restore(self, state: dict[str, Tensor], step: int) -> None:
        """Continue from what `state` returned after ``step`` outer steps."""
        self.step = step
        for name, tensor in self.all_phi.items():
            tensor.data.copy_(state[f"phi.{name}"])
        self.optimiser.restore(state)
