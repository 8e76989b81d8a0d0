"""PRETRAIN: train learners of a pool, from which others start."""

import math
from typing import Any

import torch
from torch import Tensor

from ..context.bench import Bench, open_bench
from ..context.reporting import PoolOutcome, environment
from ..context.resumable_loop import ResumableLoop
from ..context.task_context import TaskContext
from ..datasets import epoch_batches
from ..distillation.rates import Schedule, ScheduleKind
from ..distillation.scaled_optimiser import OptimiserConfig, ScaledOptimiser
from ..errors import StillhouseError
from ..evaluation.learner_series import mean_and_std
from ..evaluation.measure import measure
from ..learners.interface import Params
from ..learners.pool import PoolId, write_pool
from ..seeding import generator
from .real_gradient import follow_real_loss

POOL_FOLDER = "pool"
# Members of a pool are the same in every experiment on a data set and a model, whatever its seed.
_SEED = 0
# Of Wang et al. (2018).
_ADAM = OptimiserConfig("adam", (0.5, 0.999))
_HALF = 0.5


def pretrain(task: TaskContext) -> PoolOutcome:
    """Train the members and the held-out learners of the task, one after the other.

    Raises:
        Stopped: a stop was requested; the checkpoint is written.
        StillhouseError: ``diverged``.
    """
    task.reporter.progress("loading", 0, len(task.members) + len(task.init_seeds), {})
    bench = open_bench(task, ("train", "validation"), task.settings.objective.source)
    steps = PoolSteps(bench)
    loop = ResumableLoop(task, "training step", steps)
    loop.restore(loop.newest_checkpoint())
    loop.run()
    folder = task.scratch / POOL_FOLDER
    write_pool(folder, steps.done, _facts(bench, steps.accuracies))
    loop.save()
    return PoolOutcome(folder, steps.accuracies)


class PoolSteps:
    """The training steps of all the learners, one learner after the other; see `Steps`.

    Attributes:
        done: learners that are trained, on the CPU.
        accuracies: of each on validation, 0 to 1.
    """

    def __init__(self, bench: Bench) -> None:
        settings = bench.task.settings.pool
        assert settings is not None, "the settings of a pretraining have a pool"
        self._bench, self._settings = bench, settings
        self._ids = [PoolId("member", number) for number in bench.task.members]
        self._ids += [PoolId("held-out", seed) for seed in bench.task.init_seeds]
        num_rows = len(bench.splits["train"].labels)
        self._per_epoch = math.ceil(num_rows / settings.batch_size)
        self._per_learner = self._per_epoch * settings.epochs
        halving = settings.lr_halving_epochs
        kind: ScheduleKind = "step" if halving else "constant"
        self._schedule = Schedule(kind, 0.0, _HALF, max(1, halving) * self._per_epoch)
        self.step = 0
        self.done: dict[PoolId, Params] = {}
        self.accuracies: list[float] = []
        self._theta: dict[str, Tensor] = {}
        self._losses: list[float] = []
        self._batches: list[Tensor] = []
        self._begin(self._ids[0])

    @property
    def num_steps(self) -> int:
        """Training steps of all the learners."""
        return self._per_learner * len(self._ids)

    def advance(self) -> None:
        """Train on a batch; see `Steps`.

        Raises:
            StillhouseError: ``diverged``.
        """
        index, step = divmod(self.step, self._per_learner)
        if step % self._per_epoch == 0 or not self._batches:
            self._batches = self._epoch_batches(self._ids[index], step // self._per_epoch)
        self._train_step(self._ids[index], self._batches[step % self._per_epoch], step)
        self.step += 1
        if self.step % self._per_epoch == 0:
            self._report_epoch()
        if step + 1 == self._per_learner:
            self._finish(index)
        self._bench.task.reporter.progress("pretraining", self.step, self.num_steps, self._values())

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """See `Steps`: the learner in training with Adam's moments, and those that are done."""
        tensors = {f"now.{name}": tensor for name, tensor in self._theta.items()}
        for which, theta in self.done.items():
            tensors |= {f"done.{which.prefix}{name}": p for name, p in theta.items()}
        facts = {"accuracies": self.accuracies, "losses": self._losses}
        return tensors | self._adam.state(), facts

    def restore(self, step: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """See `Steps`."""
        self.step, self._batches = step, []
        self.accuracies, self._losses = facts["accuracies"], facts["losses"]
        for which in self._ids[: len(self.accuracies)]:
            self.done[which] = _group(tensors, f"done.{which.prefix}")
        self._adam.restore(tensors)
        for name, parameter in self._theta.items():
            parameter.data.copy_(tensors[f"now.{name}"])

    def _begin(self, which: PoolId) -> None:
        bench, own = self._bench, self._bench.task.settings
        draws = _draws(which, "weights")
        theta = bench.learner.draw(bench.num_classes, own.model.head_init, draws)
        self._theta = {name: p.detach().clone().requires_grad_() for name, p in theta.items()}
        self._adam = ScaledOptimiser(self._theta, bench.device, own.precision, _ADAM)
        self._batches = []

    def _epoch_batches(self, which: PoolId, epoch: int) -> list[Tensor]:
        lengths = self._bench.splits["train"].lengths
        return epoch_batches(lengths, self._settings.batch_size, _draws(which, "batches", epoch))

    def _train_step(self, which: PoolId, rows: Tensor, step: int) -> None:
        adam, scaler = self._adam, self._adam.scaler
        draws = _draws(which, "augmentation", step)
        adam.forget_gradients()
        loss = follow_real_loss(self._bench, self._theta, rows, draws, scaler)
        self._losses.append(_finite(loss, step))
        scale = scaler.get_scale()
        adam.update(self._schedule.rate(step, self._per_learner, self._settings.lr))
        # The scale only falls at an overflow.
        adam.count(scaler.get_scale() < scale, step + 1)

    def _report_epoch(self) -> None:
        mean = sum(self._losses) / len(self._losses)
        self._bench.task.reporter.metric("pool_loss", self.step // self._per_epoch, mean)
        self._losses = []

    def _finish(self, index: int) -> None:
        bench = self._bench
        theta = {name: p.detach() for name, p in self._theta.items()}
        precision = bench.task.settings.precision
        accuracy = measure(bench.learner, theta, bench.splits["validation"], precision).accuracy
        self.accuracies.append(accuracy)
        self.done[self._ids[index]] = {name: p.cpu().clone() for name, p in theta.items()}
        bench.task.reporter.metric("pool_accuracy", index + 1, accuracy)
        if index + 1 < len(self._ids):
            self._begin(self._ids[index + 1])

    def _values(self) -> dict[str, float]:
        if not self.accuracies:
            return {}
        mean, std = mean_and_std(self.accuracies)
        return {"accuracy_mean": mean, "accuracy_std": std}


def _draws(which: PoolId, purpose: str, index: int = 0) -> torch.Generator:
    if which.role == "member":
        return generator(_SEED, f"pool {purpose} of {which.number}", index)
    return generator(which.number, f"held-out {purpose}", index)


def _finite(loss: float, step: int) -> float:
    if math.isfinite(loss):
        return loss
    raise StillhouseError(
        "diverged",
        f"the training loss is {loss} at step {step + 1} of a learner of the pool; a smaller "
        "--pool-lr may help",
        field="pool.lr",
    )


def _group(tensors: dict[str, Tensor], prefix: str) -> Params:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _facts(bench: Bench, accuracies: list[float]) -> dict[str, Any]:
    settings, dataset = bench.task.settings, bench.dataset
    assert settings.pool is not None, "the settings of a pretraining have a pool"
    return {
        "model": settings.model._asdict(),
        "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
        "training": settings.pool._asdict(),
        "validation_accuracies": accuracies,
        "environment": environment(settings.device),
    }
