"""The outer loop: distilled data follows the meta-gradient by Adam."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..datasets import Batch, TokenSplit, collate, epoch_batches
from ..learners import Encoder, HeadInit, draw_head, learner_params
from ..learners.encoder import Params
from ..learners.precision import Precision
from ..seeding import generator
from .divergence import MAX_SKIPS, Attempt, always_overflows, diverged
from .inner import InnerLoss
from .meta_gradient import METHODS, MetaGradient, MetaProblem
from .outer_loss import num_parts, outer_losses
from .synthetic import Phi, SyntheticConfig, materialise
from .team import ALONE, Team
from .timing import PhaseClock


class OuterConfig(NamedTuple):
    """How the distilled data is trained.

    Attributes:
        num_steps: outer steps.
        lr: Adam's rate at its peak, alpha.
        batch_size: real texts an outer step.
        clip: largest norm of the meta-gradient over all of phi.
        warmup_fraction: share of the steps in which the rate rises linearly; it then falls
            linearly to 0.
        accumulate_loss: sum the outer loss over the inner steps.
        method: a name in `METHODS`.
        trajectory_bytes: memory for copies of theta, one an inner step; see `MetaProblem`.
        host_bytes: memory of the host for more of them; not used on a CPU.
        activation_bytes: memory for what a method keeps of a step's blocks; see `MetaProblem`.
        compiled: `torch.compile` for the functions of a block; see `MetaProblem`.
        precision: of the outer batch; updates are fp32.
        inits_per_step: heads drawn an outer step, K; their meta-gradients are averaged.
        head_init: law of the head.
        fixed_init: one head for all steps instead of new ones each.
        seed: of heads and batches.
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
    precision: Precision
    inits_per_step: int
    head_init: HeadInit
    fixed_init: bool
    seed: int


class OuterStep(NamedTuple):
    """What one outer step measured; losses before its update, means over its heads.

    Attributes:
        outer_loss: on the real batch after the inner steps.
        inner_loss: on the distilled data before the first inner step.
        grad_norm: norm of the meta-gradient before clipping.
        skipped: the update was skipped since fp16 overflowed.
    """

    outer_loss: float
    inner_loss: float
    grad_norm: float
    skipped: bool


def rate_at(step: int, num_steps: int, peak: float, warmup_fraction: float) -> float:
    """Linear warm-up to ``peak``, then linear decay to 0 at ``num_steps``; step counts from 0."""
    warmup = int(num_steps * warmup_fraction)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (num_steps - step) / max(1, num_steps - warmup)


def head_of_step(
    config: OuterConfig, encoder: Encoder, num_classes: int, step: int, init: int = 0
) -> Params:
    """The head that a learner of an outer step starts from, the ``init``-th of K."""
    draw = step * config.inits_per_step + init
    purpose, index = ("fixed head", 0) if config.fixed_init else ("outer head", draw)
    draws = generator(config.seed, purpose, index)
    return draw_head(encoder.config.width, num_classes, config.head_init, draws)


class OuterLoop:
    """phi, its optimiser, and where in the schedule they are.

    Everything random is a function of (seed, step), so the tensors of `state` and the step are
    all that a resume needs.
    """

    def __init__(
        self,
        config: OuterConfig,
        synthetic: SyntheticConfig,
        inner_loss: InnerLoss,
        encoder: Encoder,
        train: TokenSplit,
        phi: Phi,
        device: torch.device,
        team: Team = ALONE,
    ) -> None:
        self.config, self.synthetic, self.inner_loss = config, synthetic, inner_loss
        self.encoder, self.train, self.device = encoder, train, device
        self.team = team
        self.phi: Phi = {n: p.detach().to(device).requires_grad_() for n, p in phi.items()}
        self.optimizer = torch.optim.Adam(list(self.phi.values()), lr=config.lr)
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")
        self.step = 0
        self.num_skipped = 0
        self.skips_in_a_row = 0
        self.clock = PhaseClock(device)
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
            batch = self._batch(own)
            entry = self.encoder.embed(batch.input_ids, batch.token_type_ids)
        weight = len(own) / (len(rows) * self.config.inits_per_step)
        losses = torch.zeros(2, device=self.device)
        grads = {name: torch.zeros_like(tensor) for name, tensor in self.phi.items()}
        for init in inits if len(own) else ():
            result = self._meta_gradient(batch, entry, init)
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
        grad_norm, skipped = self._update()
        self.step += 1
        return OuterStep(outer_loss, inner_loss, grad_norm, skipped)

    def _share(self, rows: Tensor) -> tuple[range, Tensor]:
        """This member's heads and rows of the batch."""
        rank, size = self.team
        count = self.config.inits_per_step
        if count % size == 0:
            return range(rank, count, size), rows
        return range(count), rows[rank::size]

    def _meta_gradient(self, batch: Batch, entry: Tensor, init: int) -> MetaGradient:
        """The meta-gradient for one head; ``entry`` are the batch's embedded texts."""
        config = self.config
        losses = self._losses(batch, entry)
        problem = MetaProblem(
            lambda phi: materialise(self.synthetic, phi),
            self.inner_loss,
            [functools.partial(self._scaled, loss) for loss in losses],
            config.accumulate_loss,
            config.trajectory_bytes,
            0 if self.device.type == "cpu" else config.host_bytes,
            config.activation_bytes,
            config.compiled,
            self.clock.phase,
        )
        result = METHODS[config.method](problem, self.phi, self._theta(init))
        return result._replace(outer_loss=result.outer_loss / self.scaler.get_scale())

    def _theta(self, init: int) -> Params:
        """The learner before the inner steps of this outer step, for one head."""
        num_classes = self.synthetic.num_classes
        head = head_of_step(self.config, self.encoder, num_classes, self.step, init)
        return learner_params(self.encoder, head)

    def _losses(self, batch: Batch, entry: Tensor) -> list[Callable[[Params], Tensor]]:
        return outer_losses(
            self.encoder.config,
            entry,
            batch.mask,
            batch.labels,
            self.config.precision,
            num_parts(self.device),
        )

    def _scaled(self, loss: Callable[[Params], Tensor], theta: Params) -> Tensor:
        return self.scaler.scale(loss(theta))

    def _update(self) -> tuple[float, bool]:
        config = self.config
        self.optimizer.param_groups[0]["lr"] = rate_at(
            self.step, config.num_steps, config.lr, config.warmup_fraction
        )
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(list(self.phi.values()), config.clip).item()
        overflowed = self.scaler.is_enabled() and not torch.isfinite(torch.tensor(norm)).item()
        if not overflowed:
            self._check_finite("the norm of the meta-gradient", norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.num_skipped += overflowed
        self.skips_in_a_row = self.skips_in_a_row + 1 if overflowed else 0
        if self.skips_in_a_row == MAX_SKIPS:
            raise always_overflows(self.step + 1)
        return norm, overflowed

    def _rows(self) -> Tensor:
        """The rows of train that this step's batch has."""
        num_rows = len(self.train.labels)
        per_epoch = -(-num_rows // self.config.batch_size)
        epoch, index = divmod(self.step, per_epoch)
        if self._epoch[0] != epoch:
            lengths = self.train.offsets.diff()
            draws = generator(self.config.seed, "outer batches", epoch)
            self._epoch = (epoch, epoch_batches(lengths, self.config.batch_size, draws))
        return self._epoch[1][index]

    def _batch(self, rows: Tensor) -> Batch:
        batch = collate(self.train, rows)
        return Batch(*(tensor.to(self.device) for tensor in batch))

    def _check_finite(self, quantity: str, value: float) -> None:
        if math.isfinite(value):
            return
        batch = self._batch(self._rows())
        entry = self.encoder.embed(batch.input_ids, batch.token_type_ids)
        theta = self._theta(0)
        attempt = Attempt(
            self.step + 1,
            materialise(self.synthetic, self.phi),
            theta,
            self.inner_loss,
            self._losses(batch, entry),
        )
        raise diverged(quantity, value, attempt)

    def state(self) -> dict[str, Tensor]:
        """Tensors that, with ``step``, determine everything that follows."""
        tensors = {f"phi.{name}": tensor.detach() for name, tensor in self.phi.items()}
        for name, tensor in self.phi.items():
            for key, value in self.optimizer.state.get(tensor, {}).items():
                tensors[f"adam.{key}.{name}"] = torch.as_tensor(value)
        scaler = self.scaler.state_dict()
        tensors["scaler"] = torch.tensor(
            [
                scaler.get("scale", 1.0),
                scaler.get("_growth_tracker", 0),
                self.num_skipped,
                self.skips_in_a_row,
            ],
            dtype=torch.float64,
        )
        return tensors

    def restore(self, state: dict[str, Tensor], step: int) -> None:
        """Go on from what `state` gave when ``step`` outer steps had been made."""
        self.step = step
        for name, tensor in self.phi.items():
            tensor.data.copy_(state[f"phi.{name}"])
            if f"adam.step.{name}" in state:  # not before the first update
                self.optimizer.state[tensor] = {
                    key: state[f"adam.{key}.{name}"].clone().to(_adam_device(key, self.device))
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }
        scale, growth, skipped, *in_a_row = state["scaler"].tolist()
        self.num_skipped = int(skipped)
        self.skips_in_a_row = int(sum(in_a_row))  # not in checkpoints of before it was counted
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(
                {**self.scaler.state_dict(), "scale": scale, "_growth_tracker": int(growth)}
            )


def _adam_device(key: str, device: torch.device) -> torch.device:
    return torch.device("cpu") if key == "step" else device  # Adam keeps its step on the CPU
