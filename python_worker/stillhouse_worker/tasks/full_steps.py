"""Training a learner on the full data: Adam, linear warm-up and decay, dropout."""

import math
from typing import Any

import torch
from torch import Tensor

from ..context.bench import Bench
from ..datasets import epoch_batches
from ..distillation.rates import Schedule
from ..distillation.scaled_optimiser import ScaledOptimiser
from ..errors import StillhouseError
from ..evaluation.measure import Measures, measure
from ..learners.dropout import Dropout
from ..learners.interface import Params
from ..seeding import derive_seed, generator
from .real_gradient import follow_real_loss

# The same in every experiment on a data set and a model, whatever its seed: the default one.
_SEED = 0


class FullSteps:
    """The steps of the training; validation accuracy is measured after each epoch.

    Under selection the best epoch is kept.

    Args:
        bench: whose learner's front is trained in place.
        lr: Adam's rate at its peak.

    Attributes:
        steps_before, num_all_steps: of this and other trainings together, for showing progress.
    """

    def __init__(self, bench: Bench, lr: float) -> None:
        self._bench, self._settings, self.lr = bench, bench.task.settings, lr
        full, train = self._settings.full, bench.splits["train"]
        theta = bench.test_learner(bench.task.init_seeds[0])
        self._theta = {name: p.detach().clone().requires_grad_() for name, p in theta.items()}
        front = bench.learner.front.requires_grad_(True).train()
        _set_dropout(front, full.dropout)
        self._tensors: dict[str, Tensor] = {
            **self._theta,
            **{f"embeddings.{name}": p for name, p in front.named_parameters()},
        }
        self._adam = ScaledOptimiser(self._tensors, bench.device, self._settings.precision)
        self._per_epoch = math.ceil(len(train.labels) / full.batch_size)
        self.num_steps = self.num_all_steps = self._per_epoch * full.epochs
        self.step = self.steps_before = 0
        self._batches: list[Tensor] = []
        self._best: dict[str, Tensor] = {}
        self._values: dict[str, float] = {}

    def advance(self) -> None:
        """Train on a batch; see `Steps`.

        Raises:
            StillhouseError: ``diverged``.
        """
        epoch, index = divmod(self.step, self._per_epoch)
        if index == 0 or not self._batches:
            self._batches = self._epoch_batches(epoch)
        self._train_step(self._batches[index])
        if self.step % self._per_epoch == 0:
            self._validate()

    def finish(self) -> Params:
        """theta of the epoch that is kept; the learner has its front from here on."""
        with torch.no_grad():
            for name, parameter in self._tensors.items():
                parameter.copy_(self._best[name])
        self._bench.learner.front.eval().requires_grad_(False)
        return {name: parameter.detach() for name, parameter in self._theta.items()}

    def on_validation(self) -> Measures:
        """Measures of the learner as it is now."""
        learner, split = self._bench.learner, self._bench.splits["validation"]
        front = learner.front.eval()
        measures = measure(learner, self._theta, split, self._settings.precision)
        front.train()
        return measures

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """See `Steps`: theta, the embeddings and Adam's two moments, some 270 MB for MiniLM."""
        tensors = {f"now.{name}": p for name, p in self._tensors.items()}
        tensors |= {f"best.{name}": p for name, p in self._best.items()}
        return tensors | self._adam.state(), {"values": self._values}

    def restore(self, step: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """See `Steps`."""
        self.step, self._values = step, facts["values"]
        self._adam.restore(tensors)
        for name, parameter in self._tensors.items():
            parameter.data.copy_(tensors[f"now.{name}"])
            if f"best.{name}" in tensors:
                self._best[name] = tensors[f"best.{name}"].to(parameter)

    def _epoch_batches(self, epoch: int) -> list[Tensor]:
        draws = generator(_SEED, "full-data batches", epoch)
        lengths = self._bench.splits["train"].lengths
        return epoch_batches(lengths, self._settings.full.batch_size, draws)

    def _train_step(self, rows: Tensor) -> None:
        settings, adam, scaler = self._settings, self._adam, self._adam.scaler
        draws = generator(_SEED, "full-data augmentation", self.step)
        adam.forget_gradients()
        loss = follow_real_loss(self._bench, self._theta, rows, draws, scaler, self._dropout())
        self._check_finite(loss)
        scale, schedule = scaler.get_scale(), Schedule("linear", settings.outer.warmup_fraction)
        adam.update(schedule.rate(self.step, self.num_steps, self.lr))
        self.step += 1
        # The scale only falls at an overflow.
        adam.count(scaler.get_scale() < scale, self.step)
        self._values["loss"] = loss
        reporter, done = self._bench.task.reporter, self.steps_before + self.step
        reporter.metric("train_loss", done, loss)
        reporter.progress("training", done, self.num_all_steps, self._values)

    def _dropout(self) -> Dropout | None:
        """Another one at each step; seeds the masks of the front, too."""
        probability = self._settings.full.dropout
        seed = derive_seed(_SEED, "full-data dropout", self.step)
        torch.manual_seed(seed)
        if not probability:
            return None
        # The fused attention of a GPU draws its masks from the global generator.
        return Dropout(probability, seed if self._bench.device.type == "cpu" else None)

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise StillhouseError(
                "diverged",
                f"the training loss is {loss} at step {self.step + 1} of the full-data baseline; "
                "a smaller --full-lr may help",
                field="baseline.full_lr",
            )

    def _validate(self) -> None:
        accuracy = self.on_validation().accuracy
        best = self._values.get("best_validation_accuracy", -1.0)
        self._values["validation_accuracy"] = accuracy
        step = self.steps_before + self.step
        self._bench.task.reporter.metric("validation_accuracy", step, accuracy)
        if accuracy >= best or not self._settings.select:
            self._values["best_validation_accuracy"] = accuracy
            self._best = {name: p.detach().clone() for name, p in self._tensors.items()}


def _set_dropout(front: torch.nn.Module, probability: float) -> None:
    for module in front.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = probability
