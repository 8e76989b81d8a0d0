"""DISTILL: train distilled data, keep the best of it, write the artifact."""

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..artifact_files import write_artifact
from ..context.bench import open_bench
from ..context.reporting import DistillOutcome, Silent, Stopped, TeamOutcome, environment
from ..context.resumable_loop import ResumableLoop
from ..context.task_context import TaskContext
from ..datasets import RealSplit, select_rows
from ..devices.facts import require_compiler
from ..distillation.inner import inner_loss, train_learner
from ..distillation.outer import OuterLoop, OuterProblem
from ..distillation.synthetic import Phi, materialise, weight_points
from ..distillation.team import ALONE, Team
from ..distillation.team_processes import leading
from ..distillation.team_seats import Seat, seated
from ..errors import StillhouseError
from ..evaluation import measure
from ..tensorfile import read_tensors, tensor_bytes, write_bytes
from .distilled_manifest import distilled_manifest
from .first_rate import first_rate
from .initial_data import initial_phi, initial_shapes

ARTIFACT_FOLDER = "artifact"
_STEP = "outer step"


class Kept(NamedTuple):
    """The distilled data that would be uploaded if the run ended now."""

    phi: Phi
    step: int
    validation_accuracy: float | None


class Distillation:
    """The outer steps, and what is kept of them; see `Steps`.

    Attributes:
        is_undone: whether an outer step was begun and has changed nothing yet.
    """

    def __init__(self, task: TaskContext, team: Team = ALONE) -> None:
        settings = self.settings = task.settings
        self.task, self.reporter, self._team = task, task.reporter, team
        self.reporter.progress("loading", 0, settings.outer.num_steps, {})
        self.bench = open_bench(task, ("train", "validation"))
        self._targets = settings.objective.targets(self.bench.num_classes)
        self.synthetic = settings.distilled.synthetic(self.bench.num_classes, settings.seed)
        # Learners that are measured are trained as an artifact's user trains them: in fp32.
        self.inner_loss = inner_loss(
            self.bench.learner,
            settings.distilled.attention_lambda,
            settings.distilled.attention_reduction,
            settings.distilled.dropout,
            settings.distilled.attention_loss,
            settings.distilled.hidden,
        )
        self._problem = OuterProblem(
            self.synthetic,
            dataclasses.replace(self.inner_loss, precision=settings.distilled.inner_precision),
            self.bench.learner,
            self.bench.splits["train"],
            self.bench.starts,
            settings.precision,
            settings.seed,
            self.bench.device,
            torch.tensor(self._targets, device=self.bench.device),
        )
        self._validation_shares = _shares(
            self.bench.splits["validation"], settings.validation_inits
        )
        self._validation_steps = _validation_steps(settings.outer.num_steps, settings.validations)
        self.kept = Kept({}, 0, None)
        self._loop: OuterLoop | None = None
        self.is_undone = False
        self._values: dict[str, float] = {}
        self._phase_seconds: Counter[str] = Counter()  # of this process

    @property
    def loop(self) -> OuterLoop:
        """The outer steps, which start at the first look at them unless they were restored.

        In a team all have the leader's start, to the bit.
        """
        if self._loop is None:
            start = self._start if self._team.rank == 0 else self._shapes
            self._loop = self._loop_from(self._team.of_leader(start(), self.bench.device))
        return self._loop

    def _start(self) -> Phi:
        distilled = self.settings.distilled
        if not distilled.lr and distilled.learn_lr == "none":
            raise StillhouseError(
                "invalid", "inner.lr must be > 0 where no rate is learned, got 0", field="inner.lr"
            )
        phi = initial_phi(self.bench, self.synthetic)
        if distilled.lr:
            return phi
        device = self.bench.device
        data = materialise(self.synthetic, phi).map(lambda part: part.detach().to(device))
        lr = first_rate(self.bench, self.inner_loss, data, self._targets)
        return phi | self.synthetic.rates._replace(lr=lr).init()

    def _shapes(self) -> Phi:
        return initial_shapes(self.bench, self.synthetic)

    def _loop_from(self, phi: Phi) -> OuterLoop:
        return OuterLoop(self.settings.outer, self._problem, phi, self._team)

    @property
    def step(self) -> int:
        """Outer steps that have been made."""
        return 0 if self._loop is None else self._loop.step

    @property
    def num_steps(self) -> int:
        """Outer steps in all."""
        return self.settings.outer.num_steps

    def advance(self) -> None:
        """Make an outer step, and validate where it is time.

        Raises:
            StillhouseError: ``diverged``.
        """
        self._outer_step()
        if self.step in self._validation_steps:
            self._validate()

    def agree(self) -> None:
        """In a team all continue from where its leader is, which may have taken up a checkpoint."""
        if self._team.size == 1:
            return
        content = b"" if self._loop is None else tensor_bytes(*self._state_and_step())
        content = self._team.bytes_of_leader(content)
        if self._team.rank > 0 and content:
            path = self.task.scratch / f"state-for-{self._team.rank}"
            write_bytes(path, content)
            tensors, facts = read_tensors(path)
            path.unlink()
            self.restore(facts["step"], tensors, facts)

    def _state_and_step(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors, facts = self.state()
        return tensors, {**facts, "step": self.step}

    def follow(self) -> None:
        """Take part in the outer steps that another process leads."""
        self.agree()
        while self.step < self.num_steps:
            self.loop.advance()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """See `Steps`."""
        tensors = self.loop.state() | {f"kept.{n}": p for n, p in self.kept.phi.items()}
        facts = {
            "kept_step": self.kept.step,
            "kept_accuracy": self.kept.validation_accuracy,
            "values": self._values,
        }
        return tensors, facts

    def restore(self, step: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """See `Steps`."""
        self._loop = self._loop_from(self._shapes())
        self._loop.restore(tensors, step)
        kept = {n.removeprefix("kept."): t for n, t in tensors.items() if n.startswith("kept.")}
        self.kept = Kept(kept, facts["kept_step"], facts["kept_accuracy"])
        self._values = facts["values"]

    def write(self, folder: Path) -> None:
        """Write the artifact of what is kept, once all steps are made."""
        if not self.settings.select:
            self.kept = Kept(_copy(self.loop.all_phi), self.step, None)
        self._say_how_it_went()
        phi = {name: tensor.to(self.bench.device) for name, tensor in self.kept.phi.items()}
        data = materialise(self.synthetic, phi)
        write_artifact(folder, data, self._manifest(), self.settings.distilled.artifact_dtype)

    def _outer_step(self) -> None:
        loop = self.loop
        self.is_undone = True
        result, step = loop.advance(), loop.step
        self.is_undone = False
        self._values.update(loss=result.outer_loss)
        points = {
            "outer_loss": result.outer_loss,
            "inner_loss": result.inner_loss,
            "grad_norm": result.grad_norm,
        }
        if self.settings.distilled.learn_lr != "none":
            data = materialise(self.synthetic, self.loop.all_phi)
            points |= {f"inner_lr_{t}": rate for t, rate in enumerate(data.lrs.tolist(), 1)}
            if data.encoder_lr_scale is not None:
                points["encoder_lr_scale"] = data.encoder_lr_scale.item()
        points |= weight_points(self.loop.phi)
        if self.settings.precision == "fp16":
            points["overflow_skips"] = float(self.loop.optimiser.num_skipped)
        seconds = self.loop.clock.read()
        self._phase_seconds.update(seconds)
        points |= {f"seconds_{phase}": value for phase, value in seconds.items()}
        for name, value in points.items():
            self.reporter.metric(name, step, value)
        self.reporter.progress("distilling", step, self.settings.outer.num_steps, self._values)

    def _validate(self) -> None:
        """Measure the present distilled data; under selection keep it if it is the best so far."""
        accuracy = self.on_validation()
        self._values["validation_accuracy"] = accuracy
        self.reporter.metric("validation_accuracy", self.loop.step, accuracy)
        best = self.kept.validation_accuracy
        if self.settings.select and (best is None or accuracy >= best):
            self.kept = Kept(_copy(self.loop.all_phi), self.loop.step, accuracy)

    def _manifest(self) -> dict[str, Any]:
        return distilled_manifest(self.bench) | {
            "kept_step": self.kept.step,
            "validation_accuracy": self.kept.validation_accuracy,
            "environment": environment(self.settings.device),
        }

    def on_validation(self) -> float:
        """Accuracy of learners that the present data trains, each on a share of the rows; of an
        attack the share of the rows that are taken for what it wants."""
        data = materialise(self.synthetic, self.loop.all_phi)
        num_classes = self.synthetic.num_classes
        counts = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        for index, rows in enumerate(self._validation_shares):
            theta = self.bench.starts.of_validation(index)
            loss = self.inner_loss.of_learner(self.settings.seed, "validation", index)
            theta = train_learner(loss, data, theta)
            measures = measure(self.bench.learner, theta, rows, self.settings.precision)
            counts += torch.tensor(measures.confusion).view(num_classes, num_classes)
        if self.settings.objective.kind == "attack":
            self._report_attack(counts)
        wanted = counts[torch.arange(num_classes), torch.tensor(self._targets)]
        return wanted.sum().item() / len(self.bench.splits["validation"].labels)

    def _report_attack(self, counts: Tensor) -> None:
        """The share of the attacked rows that are mistaken, and the accuracy on all others."""
        objective = self.settings.objective
        attacked = counts[objective.attack_class]
        others = counts.clone()
        others[objective.attack_class] = 0
        figures = {
            "attack_success": (attacked[objective.target_class], attacked.sum()),
            "other_classes_accuracy": (others.diagonal().sum(), others.sum()),
        }
        for name, (part, whole) in figures.items():
            self._values[name] = part.item() / max(1, whole.item())
            self.reporter.metric(name, self.loop.step, self._values[name])

    def _say_how_it_went(self) -> None:
        if num_skipped := self.loop.optimiser.num_skipped:
            self.reporter.log("warning", f"{num_skipped} outer steps were skipped: fp16 overflowed")
        if total := self._phase_seconds.total():
            shares = (f"{name} {s / total:.0%}" for name, s in self._phase_seconds.items())
            self.reporter.log("info", f"time of the outer steps: {', '.join(shares)}")


def distill(task: TaskContext) -> DistillOutcome:
    """Run a distillation, or the rest of it; with a seat, as the leader of other workers.

    Raises:
        Stopped: a stop was requested; the checkpoint is written.
        StillhouseError: ``diverged``; ``environment`` when a process of the team is lost.
    """
    _prepare_compiler(task)
    with _leading(task) as team:
        return _lead(task, team)


def take_part(task: TaskContext, seat: Seat) -> TeamOutcome:
    """Share the outer steps of a distillation that another worker leads.

    Args:
        task: an attempt at it; the leader alone reports.
        seat: of this worker, with rank >= 1.

    Raises:
        Stopped: a stop was requested.
        StillhouseError: as for `distill`.
    """
    _prepare_compiler(task)
    with seated(seat, task.settings.device) as team:
        Distillation(task._replace(reporter=Silent()), team).follow()
    return TeamOutcome(seat.rank)


def _prepare_compiler(task: TaskContext) -> None:
    if task.settings.outer.compiled:
        require_compiler()
        # What was compiled for the shapes of earlier tasks counts towards a limit of shapes.
        torch.compiler.reset()


@contextmanager
def _leading(task: TaskContext) -> Iterator[Team]:
    """The team of a task: other workers where there is a seat, else processes of this one."""
    settings = task.settings
    if task.seat is not None:
        with seated(task.seat, settings.device) as team:
            yield team
        return
    follow = functools.partial(_follow, task._replace(reporter=Silent()))
    with leading(settings.num_devices, settings.device, follow) as team:
        yield team


def _lead(task: TaskContext, team: Team) -> DistillOutcome:
    distillation = Distillation(task, team)
    loop = ResumableLoop(task, _STEP, distillation)
    loop.restore(loop.newest_checkpoint())
    distillation.agree()
    try:
        loop.run()
    except (Stopped, StillhouseError) as error:
        # While it waited for the others: what it has done until then is not lost.
        may_go_on = isinstance(error, Stopped) or error.retryable
        if may_go_on and distillation.is_undone:
            loop.save()
        raise
    folder = task.scratch / ARTIFACT_FOLDER
    distillation.write(folder)
    loop.save()  # a repeat after this point has nothing left to compute
    kept, step = distillation.kept, distillation.step
    rate = step / loop.seconds if loop.seconds else 0.0
    return DistillOutcome(folder, kept.step, kept.validation_accuracy, step, rate)


def _follow(task: TaskContext, team: Team, device: str) -> None:
    own = task._replace(settings=task.settings._replace(device=device))
    Distillation(own, team).follow()


def _validation_steps(num_steps: int, count: int) -> set[int]:
    """The steps after which validation accuracy is measured, the last one among them."""
    return {-(-num_steps * index // count) for index in range(1, count + 1)}


def _shares(split: RealSplit, count: int) -> list[RealSplit]:
    """Every row in one of ``count`` parts; fewer where there are fewer rows."""
    num_rows = len(split.labels)
    count = min(count, num_rows)
    return [select_rows(split, torch.arange(first, num_rows, count)) for first in range(count)]


def _copy(phi: Phi) -> Phi:
    return {name: tensor.detach().cpu().clone() for name, tensor in phi.items()}
