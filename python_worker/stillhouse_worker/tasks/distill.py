"""DISTILL: train distilled data, keep the best of it, write the artifact."""

import dataclasses
import functools
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..artifacts import write_artifact
from ..context.bench import Bench, open_bench
from ..context.reporting import DistillOutcome, Reporter, Silent, Stopped, environment
from ..context.settings import Settings
from ..context.training_checkpoints import CheckpointTimes, TrainingCheckpoints
from ..datasets import TokenSplit, collate, select_rows
from ..datasets.sampling import draw_rows
from ..devices.facts import require_compiler
from ..distillation.inner import InnerLoss, train_learner
from ..distillation.outer import OuterLoop
from ..distillation.synthetic import Phi, init_phi, materialise
from ..distillation.team import ALONE, Team
from ..distillation.team_processes import leading
from ..evaluation import measure
from ..learners import draw_head, learner_params
from ..seeding import generator

ARTIFACT_FOLDER = "artifact"


class Kept(NamedTuple):
    """The distilled data that would be handed in if the run ended now."""

    phi: Phi
    step: int
    validation_accuracy: float | None


class Distillation:
    """One run: the outer loop, what is kept of it, and its checkpoint."""

    def __init__(
        self, settings: Settings, reporter: Reporter, work_dir: Path, team: Team = ALONE
    ) -> None:
        self.settings, self.reporter = settings, reporter
        self.checkpoints = TrainingCheckpoints(work_dir, reporter)
        reporter.progress("loading", 0, settings.outer.num_steps, {})
        self.bench = open_bench(settings, ("train", "validation"))
        distilled = settings.distilled
        self.synthetic = distilled.synthetic(len(self.bench.dataset.class_names))
        # Learners that are measured are trained as an artifact's user trains them: in fp32.
        self.inner_loss = InnerLoss(
            self.bench.encoder.config, distilled.attention_lambda, distilled.attention_reduction
        )
        self.loop = OuterLoop(
            settings.outer,
            self.synthetic,
            dataclasses.replace(self.inner_loss, precision=distilled.inner_precision),
            self.bench.encoder,
            self.bench.tokens["train"],
            self._initial_phi(),
            self.bench.device,
            team,
        )
        self._validation_shares = _shares(
            self.bench.tokens["validation"], settings.validation_inits
        )
        self.kept = Kept({}, 0, None)
        self.seconds = 0.0
        self._values: dict[str, float] = {}
        self._phase_seconds: Counter[str] = Counter()  # of this process

    def run(self, checkpoint: Path | None, scratch: Path) -> DistillOutcome:
        """Go on from ``checkpoint`` if there is one, to the end.

        Args:
            checkpoint: of `TrainingCheckpoints.newest`.
            scratch: where the artifact is written.

        Raises:
            Stopped: a stop was requested; the checkpoint is written.
            StillhouseError: ``diverged``.
        """
        self._restore(checkpoint)
        num_steps, times = self.settings.outer.num_steps, CheckpointTimes()
        validation_steps = self._validation_steps()
        while self.loop.step < num_steps:
            if self.reporter.stop_requested():
                self._save()
                raise Stopped
            started = time.monotonic()
            self._outer_step()
            if self.loop.step in validation_steps:
                self._validate()
            self.seconds += time.monotonic() - started
            times.save_if_due(self._save)
        return self._finish(scratch / ARTIFACT_FOLDER)

    def follow(self, checkpoint: Path | None) -> None:
        """Take part in the outer steps that another process leads, from its checkpoint on."""
        self._restore(checkpoint)
        while self.loop.step < self.settings.outer.num_steps:
            self.loop.advance()

    def _outer_step(self) -> None:
        result, step = self.loop.advance(), self.loop.step
        self._values.update(loss=result.outer_loss)
        points = {
            "outer_loss": result.outer_loss,
            "inner_loss": result.inner_loss,
            "grad_norm": result.grad_norm,
        }
        if self.settings.distilled.learn_lr != "none":
            rates = materialise(self.synthetic, self.loop.phi).lrs.detach().tolist()
            points |= {f"inner_lr_{t}": rate for t, rate in enumerate(rates, 1)}
        if self.settings.precision == "fp16":
            points["overflow_skips"] = float(self.loop.num_skipped)
        seconds = self.loop.clock.read()
        self._phase_seconds.update(seconds)
        points |= {f"seconds_{phase}": value for phase, value in seconds.items()}
        for name, value in points.items():
            self.reporter.metric(name, step, value)
        self.reporter.progress("distilling", step, self.settings.outer.num_steps, self._values)

    def _validate(self) -> None:
        """Measure the present distilled data; under selection keep it if it is the best so far."""
        data = materialise(self.synthetic, self.loop.phi)
        encoder, num_right = self.bench.encoder, 0
        for index, rows in enumerate(self._validation_shares):
            theta = train_learner(
                self.inner_loss, data, learner_params(encoder, self._validation_head(index))
            )
            confusion = measure(encoder, theta, rows, self.settings.precision).confusion
            num_right += sum(confusion[:: self.synthetic.num_classes + 1])
        accuracy = num_right / len(self.bench.tokens["validation"].labels)
        self._values["validation_accuracy"] = accuracy
        self.reporter.metric("validation_accuracy", self.loop.step, accuracy)
        best = self.kept.validation_accuracy
        if self.settings.select and (best is None or accuracy >= best):
            self.kept = Kept(_copy(self.loop.phi), self.loop.step, accuracy)

    def _validation_head(self, index: int) -> dict[str, Tensor]:
        model, seed = self.settings.model, self.settings.seed
        purpose = ("fixed head", 0) if model.fixed_init else ("validation head", index)
        draws = generator(seed, *purpose)
        width = self.bench.encoder.config.width
        return draw_head(width, self.synthetic.num_classes, model.head_init, draws)

    def _validation_steps(self) -> set[int]:
        num_steps, count = self.settings.outer.num_steps, self.settings.validations
        return {-(-num_steps * index // count) for index in range(1, count + 1)}

    def _initial_phi(self) -> Phi:
        config, encoder = self.settings.distilled, self.bench.encoder
        shape = (
            config.per_class * self.synthetic.num_classes,
            config.seq_len,
            encoder.config.width,
        )
        draws = generator(self.settings.seed, "distilled data")
        x = torch.randn(shape, generator=draws)
        if config.x_init == "real":
            x = embed_real_samples(self.bench, x, self.synthetic.per_class, draws)
        return init_phi(
            self.synthetic, encoder.config.num_layers, encoder.config.num_heads, x, draws
        )

    def _save(self) -> None:
        tensors = self.loop.state() | {f"kept.{n}": p for n, p in self.kept.phi.items()}
        facts = {
            "step": self.loop.step,
            "kept_step": self.kept.step,
            "kept_accuracy": self.kept.validation_accuracy,
            "values": self._values,
            "seconds": self.seconds,
        }
        self.checkpoints.write(self.loop.step, tensors, facts)

    def _restore(self, checkpoint: Path | None) -> None:
        saved = self.checkpoints.read(checkpoint)
        if saved is None:
            return
        tensors, facts = saved
        self.loop.restore(tensors, facts["step"])
        kept = {n.removeprefix("kept."): t for n, t in tensors.items() if n.startswith("kept.")}
        self.kept = Kept(kept, facts["kept_step"], facts["kept_accuracy"])
        self._values, self.seconds = facts["values"], facts["seconds"]
        self.reporter.log("info", f"resumed at outer step {facts['step']}")

    def _finish(self, folder: Path) -> DistillOutcome:
        if not self.settings.select:
            self.kept = Kept(_copy(self.loop.phi), self.loop.step, None)
        if self.loop.num_skipped:
            self.reporter.log(
                "warning", f"{self.loop.num_skipped} outer steps were skipped: fp16 overflowed"
            )
        if total := self._phase_seconds.total():
            shares = (f"{name} {s / total:.0%}" for name, s in self._phase_seconds.items())
            self.reporter.log("info", f"time of the outer steps: {', '.join(shares)}")
        phi = {name: tensor.to(self.bench.device) for name, tensor in self.kept.phi.items()}
        data = materialise(self.synthetic, phi)
        write_artifact(folder, data, self._manifest(), self.settings.distilled.artifact_dtype)
        self._save()  # a repeat after this point has nothing left to compute
        return DistillOutcome(
            folder,
            self.kept.step,
            self.kept.validation_accuracy,
            self.loop.step,
            self.loop.step / self.seconds if self.seconds else 0.0,
        )

    def _manifest(self) -> dict[str, Any]:
        settings, dataset = self.settings, self.bench.dataset
        return {
            "spec": settings.spec,
            "seed": settings.seed,
            "model": settings.model._asdict(),
            "dataset": {
                "name": dataset.name,
                "source": dataset.source,
                "fingerprint": dataset.fingerprint,
                "class_names": list(dataset.class_names),
                "text_columns": list(dataset.text_columns),
                "max_length": settings.data.max_length,
            },
            "inner_loss": {
                "attention_lambda": settings.distilled.attention_lambda,
                "attention_reduction": settings.distilled.attention_reduction,
            },
            "protocol": "validation" if settings.select else "paper",
            "kept_step": self.kept.step,
            "validation_accuracy": self.kept.validation_accuracy,
            "environment": environment(settings.device),
        }


def distill(
    settings: Settings, reporter: Reporter, work_dir: Path, scratch: Path | None = None
) -> DistillOutcome:
    """Run a distillation, or what is left of it; see `Distillation.run`.

    Args:
        settings: of the experiment.
        reporter: told how far it is.
        work_dir: the task's own folder, for checkpoints.
        scratch: the attempt's own folder; None for ``work_dir``.
    """
    if settings.outer.compiled:
        require_compiler()
    scratch = scratch or work_dir
    # All processes of a team go on from the same one, also where an earlier attempt writes another.
    checkpoint = TrainingCheckpoints(work_dir, reporter).newest()
    follow = functools.partial(_follow, settings, work_dir, checkpoint)
    with leading(settings.num_devices, settings.device, scratch, follow) as team:
        return Distillation(settings, reporter, work_dir, team).run(checkpoint, scratch)


def _follow(
    settings: Settings, work_dir: Path, checkpoint: Path | None, team: Team, device: str
) -> None:
    own = settings._replace(device=device)
    Distillation(own, Silent(), work_dir, team).follow(checkpoint)


def embed_real_samples(bench: Bench, x: Tensor, per_class: int, draws: torch.Generator) -> Tensor:
    """Replace the noise ``x`` by embedded training texts, as far as each text is long.

    Args:
        bench: data and encoder.
        x: M x S x E noise; what lies behind the end of a text stays noise.
        per_class: texts drawn for each class, in the order of the classes.
        draws: generator of the draw.
    """
    x = x.clone()
    rows = draw_rows(bench.tokens["train"], len(x) // per_class, per_class, draws)
    for sample, row in zip(x, rows, strict=True):
        batch = collate(bench.tokens["train"], row[None])
        length = min(int(batch.mask.sum()), len(sample))
        ids, types = (
            t[:, :length].to(bench.device) for t in (batch.input_ids, batch.token_type_ids)
        )
        sample[:length] = bench.encoder.embed(ids, types)[0].cpu()
    return x


def _shares(tokens: TokenSplit, count: int) -> list[TokenSplit]:
    """Every row in one of ``count`` parts; fewer where there are fewer rows."""
    num_rows = len(tokens.labels)
    count = min(count, num_rows)
    return [select_rows(tokens, torch.arange(first, num_rows, count)) for first in range(count)]


def _copy(phi: Phi) -> Phi:
    return {name: tensor.detach().cpu().clone() for name, tensor in phi.items()}
