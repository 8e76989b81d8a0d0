"""BASELINE: a learner trained on the full data by Adam, linear warm-up and decay, dropout."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..context.bench import Bench, open_bench
from ..context.reporting import LearnerOutcome, Reporter, Stopped
from ..context.settings import Settings
from ..context.training_checkpoints import CheckpointTimes, TrainingCheckpoints
from ..datasets import Batch, collate, epoch_batches
from ..distillation.divergence import MAX_SKIPS, always_overflows
from ..distillation.outer import rate_at
from ..errors import StillhouseError
from ..evaluation import measure
from ..evaluation.heads import head_of_learner
from ..evaluation.learner_series import Timed, measure_learners, tester
from ..learners import Encoder, first_order_attention, forward, learner_params
from ..learners.encoder import Params
from ..learners.precision import autocast
from ..seeding import derive_seed, generator


def full_baseline(
    settings: Settings, init_seeds: Sequence[int], reporter: Reporter, work_dir: Path
) -> LearnerOutcome:
    """A learner, embeddings included, trained on all of train; tested once."""
    bench = open_bench(settings, ("train", "validation", "test"))
    head = head_of_learner(settings, bench, init_seeds[0])
    trained = train_full(settings, bench, learner_params(bench.encoder, head), reporter, work_dir)
    bench = bench._replace(encoder=trained.encoder)
    outcomes = measure_learners(
        init_seeds[:1],
        lambda _: Timed(trained.params, trained.seconds),
        tester(bench, "test", settings.precision, reporter),
        reporter,
        work_dir,
    )
    return LearnerOutcome(outcomes, len(bench.tokens["train"].labels), trained.gd_steps)


class Trained(NamedTuple):
    """A learner trained on the full data; the encoder carries the trained embeddings.

    Attributes:
        seconds: of training, validation included, interruptions not counted.
    """

    encoder: Encoder
    params: Params
    gd_steps: int
    seconds: float


def train_full(
    settings: Settings, bench: Bench, theta: Params, reporter: Reporter, work_dir: Path
) -> Trained:
    """Train from ``theta``, or go on from the newest checkpoint in ``work_dir``.

    Validation accuracy is measured after each epoch; under selection the best epoch is kept.

    Raises:
        Stopped: a stop was requested; the checkpoint is written.
        StillhouseError: ``diverged``.
    """
    return _FullTraining(settings, bench, theta, reporter, work_dir).run()


class _FullTraining:
    def __init__(
        self, settings: Settings, bench: Bench, theta: Params, reporter: Reporter, work_dir: Path
    ) -> None:
        self.settings, self.bench, self.reporter = settings, bench, reporter
        self.checkpoints = TrainingCheckpoints(work_dir, reporter)
        self.theta = {name: p.detach().clone().requires_grad_() for name, p in theta.items()}
        embeddings = bench.encoder.embeddings.requires_grad_(True).train()
        _set_dropout(embeddings, settings.full.dropout)
        self.tensors: dict[str, Tensor] = {
            **self.theta,
            **{f"embeddings.{name}": p for name, p in embeddings.named_parameters()},
        }
        self.optimizer = torch.optim.Adam(list(self.tensors.values()), lr=settings.full.lr)
        enabled = settings.precision == "fp16"
        self.scaler = torch.amp.GradScaler(bench.device.type, enabled=enabled)
        self.per_epoch = math.ceil(len(bench.tokens["train"].labels) / settings.full.batch_size)
        self.num_steps = self.per_epoch * settings.full.epochs
        self.step = 0
        self.skips_in_a_row = 0
        self.seconds = 0.0
        self.best: dict[str, Tensor] = {}
        self.values: dict[str, float] = {}

    def run(self) -> Trained:
        self._restore()
        times = CheckpointTimes()
        batches: list[Tensor] = []
        while self.step < self.num_steps:
            if self.reporter.stop_requested():
                self._save()
                raise Stopped
            started = time.monotonic()
            epoch, index = divmod(self.step, self.per_epoch)
            if index == 0 or not batches:
                batches = self._epoch_batches(epoch)
            self._train_step(batches[index])
            if self.step % self.per_epoch == 0:
                self._validate()
            self.seconds += time.monotonic() - started
            times.save_if_due(self._save)
        self._save()
        return self._finish()

    def _epoch_batches(self, epoch: int) -> list[Tensor]:
        draws = generator(self.settings.seed, "full-data batches", epoch)
        lengths = self.bench.tokens["train"].offsets.diff()
        return epoch_batches(lengths, self.settings.full.batch_size, draws)

    def _train_step(self, rows: Tensor) -> None:
        full, bench = self.settings.full, self.bench
        torch.manual_seed(derive_seed(self.settings.seed, "full-data dropout", self.step))
        batch = Batch(*(t.to(bench.device) for t in collate(bench.tokens["train"], rows)))
        with autocast(bench.device, self.settings.precision):
            entry = bench.encoder.embed(batch.input_ids, batch.token_type_ids)
            attention = first_order_attention(bench.device)
            logits = forward(
                bench.encoder.config,
                self.theta,
                entry,
                batch.mask,
                attention=attention,
                dropout=full.dropout,
            ).logits
        loss = F.cross_entropy(logits.float(), batch.labels)
        self._check_finite(loss.item())
        rate = rate_at(self.step, self.num_steps, full.lr, full.warmup_fraction)
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        # The scale falls at an overflow alone.
        self.skips_in_a_row = self.skips_in_a_row + 1 if self.scaler.get_scale() < scale else 0
        if self.skips_in_a_row == MAX_SKIPS:
            raise always_overflows(self.step)
        self.values["loss"] = loss.item()
        self.reporter.metric("train_loss", self.step, loss.item())
        self.reporter.progress("training", self.step, self.num_steps, self.values)

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise StillhouseError(
                "diverged",
                f"the training loss is {loss} at step {self.step + 1} of the full-data baseline; "
                "a smaller --full-lr may help",
                field="baseline.full_lr",
            )

    def _validate(self) -> None:
        embeddings = self.bench.encoder.embeddings.eval()
        tokens, precision = self.bench.tokens["validation"], self.settings.precision
        accuracy = measure(self.bench.encoder, self.theta, tokens, precision).accuracy
        embeddings.train()
        best = self.values.get("best_validation_accuracy", -1.0)
        self.values["validation_accuracy"] = accuracy
        self.reporter.metric("validation_accuracy", self.step, accuracy)
        if accuracy >= best or not self.settings.select:
            self.values["best_validation_accuracy"] = accuracy
            self.best = {name: p.detach().clone() for name, p in self.tensors.items()}

    def _finish(self) -> Trained:
        with torch.no_grad():
            for name, parameter in self.tensors.items():
                parameter.copy_(self.best[name])
        self.bench.encoder.embeddings.eval().requires_grad_(False)
        params = {name: parameter.detach() for name, parameter in self.theta.items()}
        return Trained(self.bench.encoder, params, self.num_steps, self.seconds)

    def _save(self) -> None:
        """Write theta, the embeddings and Adam's two moments: some 270 MB for MiniLM."""
        tensors = {f"now.{name}": p for name, p in self.tensors.items()}
        tensors |= {f"best.{name}": p for name, p in self.best.items()}
        for name, parameter in self.tensors.items():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"adam.{key}.{name}"] = torch.as_tensor(value)
        facts = {
            "step": self.step,
            "seconds": self.seconds,
            "values": self.values,
            "skips_in_a_row": self.skips_in_a_row,
            "scaler": self.scaler.state_dict(),
        }
        self.checkpoints.write(self.step, tensors, facts)

    def _restore(self) -> None:
        checkpoint = self.checkpoints.read(self.checkpoints.newest())
        if checkpoint is None:
            return
        saved, facts = checkpoint
        self.step, self.values = facts["step"], facts["values"]
        self.seconds = facts.get("seconds", 0.0)  # not in checkpoints of before it was counted
        self.skips_in_a_row = facts.get("skips_in_a_row", 0)
        self.scaler.load_state_dict(facts["scaler"])
        for name, parameter in self.tensors.items():
            parameter.data.copy_(saved[f"now.{name}"])
            if f"adam.step.{name}" in saved:
                self.optimizer.state[parameter] = _adam_state(saved, name, parameter)
            if f"best.{name}" in saved:
                self.best[name] = saved[f"best.{name}"].to(parameter)
        self.reporter.log("info", f"resumed at training step {self.step}")


def _adam_state(saved: Mapping[str, Tensor], name: str, parameter: Tensor) -> dict[str, Tensor]:
    moments = {key: saved[f"adam.{key}.{name}"].to(parameter) for key in ("exp_avg", "exp_avg_sq")}
    return {"step": saved[f"adam.step.{name}"].clone(), **moments}


def _set_dropout(embeddings: torch.nn.Module, probability: float) -> None:
    for module in embeddings.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = probability
