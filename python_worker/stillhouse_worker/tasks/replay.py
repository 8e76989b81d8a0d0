"""REPLAY: learners that meet one task after the other, and train on memories of earlier ones.

As Rosasco et al., "Distilled Replay" (2021), but that validation rows are held out of train, and
no learner has dropout.
"""

import math
import time
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..context.bench import Bench, open_for_learners
from ..context.reporting import ReplayOutcome, ReplayRun
from ..context.resumable_loop import ResumableLoop
from ..context.settings import ReplaySettings
from ..context.task_context import TaskContext
from ..distillation.inner import leaves, sgd
from ..distillation.losses import soft_cross_entropy
from ..errors import StillhouseError
from ..evaluation.learner_series import mean_and_std
from ..evaluation.measure import measure
from ..learners import Learner
from ..learners.interface import Params
from ..seeding import generator
from .replay_memory import Memory, RealRows, Samples, Source, TaskData, memories_of


def replay(task: TaskContext) -> ReplayOutcome:
    """Train the learners of the task, one after the other, each on all tasks of the experiment.

    Raises:
        Stopped: a stop was requested; the checkpoint is written.
        StillhouseError: ``diverged``; ``invalid`` for a spec of another kind of experiment.
    """
    settings = task.settings.replay
    if settings is None:
        raise StillhouseError(
            "invalid", "the spec has no tasks of continual learning", field="replay"
        )
    steps = ReplaySteps(open_for_learners(task, ("train", "test")), settings)
    loop = ResumableLoop(task, "training step", steps)
    loop.restore(loop.newest_checkpoint())
    loop.run()
    loop.save()
    memories = steps.all_memories()
    return ReplayOutcome(
        steps.runs,
        sum(memory.source.num_samples for memory in memories),
        sum(memory.num_bytes for memory in memories),
        steps.steps_per_learner,
    )


class Place(NamedTuple):
    """Where a training step is.

    Attributes:
        learner: number of the learner, from 0.
        task: of the task, from 0.
        step: of the step in the task, from 0.
        is_last: whether the task ends with it.
    """

    learner: int
    task: int
    step: int
    is_last: bool


class ReplaySteps:
    """The training steps of all learners, one learner after the other; see `Steps`.

    Attributes:
        step: finished steps of all of them.
        runs: learners that have met all tasks.
        steps_per_learner: over all tasks.
    """

    def __init__(self, bench: Bench, settings: ReplaySettings) -> None:
        self._bench, self._settings = bench, settings
        self._data = TaskData(bench, settings.tasks)
        self._tests = [self._data.test(task) for task in range(len(settings.tasks))]
        self._memory_of = memories_of(self._data)
        self._ends = [*accumulate(self._num_steps(task) for task in range(len(settings.tasks)))]
        self.steps_per_learner = self._ends[-1]
        self.step = 0
        self.runs: list[ReplayRun] = []
        self._after: list[list[float]] = []
        self._seconds = 0.0
        self._theta: Params = {}
        self._sources: list[Source] = []
        self._orders: dict[tuple[int, int], Tensor] = {}

    @property
    def num_steps(self) -> int:
        """Training steps of all the learners."""
        return self.steps_per_learner * len(self._bench.task.init_seeds)

    def all_memories(self) -> list[Memory]:
        """Those of all tasks but the last, whose memory nobody needs; empty where none is kept."""
        kept = (self._memory_of(task) for task in range(len(self._settings.tasks) - 1))
        return [memory for memory in kept if memory is not None]

    def advance(self) -> None:
        """Train on a batch, and test where a task ends; see `Steps`.

        Raises:
            StillhouseError: ``diverged``.
        """
        started, place = time.monotonic(), self._place()
        if place.task == 0 and place.step == 0:
            self._begin(place.learner)
        if place.step == 0 or not self._sources:
            self._sources, self._orders = self._sources_of(place.task), {}
        self._train_step(place)
        self.step += 1
        self._seconds += time.monotonic() - started
        if place.is_last:
            self._test(place)
        self._bench.task.reporter.progress("replaying", self.step, self.num_steps, self._values())

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """See `Steps`: the learner in training, and what those before it have reached."""
        facts = {
            "runs": [run._asdict() for run in self.runs],
            "after": self._after,
            "train_seconds": self._seconds,
        }
        return dict(self._theta), facts

    def restore(self, step: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """See `Steps`."""
        self.step, self._sources = step, []
        self.runs = [ReplayRun(**run) for run in facts["runs"]]
        self._after, self._seconds = facts["after"], facts["train_seconds"]
        device = self._bench.device
        self._theta = {name: tensor.to(device) for name, tensor in tensors.items()}

    def _num_steps(self, task: int) -> int:
        """Of a learner in a task: a pass counts the task's own rows at their share of a batch."""
        settings = self._settings
        if settings.num_steps:
            return settings.num_steps
        own_share = shares(settings.batch_size, task + 1)[0]
        return settings.epochs * math.ceil(len(self._data.train(task).labels) / own_share)

    def _place(self) -> Place:
        learner, at = divmod(self.step, self.steps_per_learner)
        task = next(number for number, end in enumerate(self._ends) if at < end)
        step = at - (self._ends[task - 1] if task else 0)
        return Place(learner, task, step, at + 1 == self._ends[task])

    def _begin(self, learner: int) -> None:
        seed = self._bench.task.init_seeds[learner]
        self._theta, self._after, self._seconds = self._bench.test_learner(seed), [], 0.0

    def _sources_of(self, task: int) -> list[Source]:
        """The task's own rows, then the memories of earlier tasks."""
        earlier = [self._memory_of(number) for number in range(task)]
        own = RealRows(self._bench, self._data.train(task))
        return [own, *(memory.source for memory in earlier if memory is not None)]

    def _train_step(self, place: Place) -> None:
        theta = leaves(self._theta)
        loss = mixed_loss(self._bench.learner, theta, self._batch(place))
        if not math.isfinite(loss.item()):
            raise StillhouseError(
                "diverged",
                f"the training loss is {loss.item()} at step {place.step + 1} of task "
                f"{place.task + 1}; a smaller --task-lr may help",
                field="replay.lr",
            )
        grads = torch.autograd.grad(loss, list(theta.values()))
        with torch.no_grad():
            self._theta = sgd(self._theta, grads, self._settings.lr)

    def _batch(self, place: Place) -> list[Samples]:
        sizes = shares(self._settings.batch_size, len(self._sources))
        pairs = enumerate(zip(self._sources, sizes, strict=True))
        return [
            source.samples(self._rows(place, number, source.num_samples, size))
            for number, (source, size) in pairs
        ]

    def _rows(self, place: Place, source: int, num_rows: int, share: int) -> Tensor:
        """The next rows of a source, which come one pass after the other.

        Each pass has an order of its own that is drawn, but for sources that a batch holds whole:
        there the order is nothing to the loss. What repeats them is that their share is larger.
        """
        first = place.step * share
        positions = torch.arange(first, first + share)
        if num_rows <= share:
            return positions % num_rows
        passes = positions // num_rows
        rows = torch.empty_like(positions)
        for number in range(first // num_rows, (first + share - 1) // num_rows + 1):
            chosen, order = passes == number, self._order(place, source, num_rows, number)
            rows[chosen] = order[positions[chosen] % num_rows]
        return rows

    def _order(self, place: Place, source: int, num_rows: int, number: int) -> Tensor:
        """That of a pass; the one that was drawn last stays, since a pass is many batches."""
        key = (source, number)
        if key not in self._orders:
            seed = self._bench.task.init_seeds[place.learner]
            draws = generator(seed, f"order of source {source} in task {place.task}", number)
            self._orders = {k: v for k, v in self._orders.items() if k[0] != source}
            self._orders[key] = torch.randperm(num_rows, generator=draws)
        return self._orders[key]

    def _test(self, place: Place) -> None:
        """The accuracy on each task so far."""
        bench = self._bench
        found = [
            measure(bench.learner, self._theta, test, bench.task.settings.precision).accuracy
            for test in self._tests[: place.task + 1]
        ]
        self._after.append(found)
        num_done = place.learner * len(self._settings.tasks) + place.task + 1
        bench.task.reporter.metric("accuracy_on_tasks", num_done, sum(found) / len(found))
        if place.task + 1 == len(self._settings.tasks):
            seed = bench.task.init_seeds[place.learner]
            self.runs.append(ReplayRun(seed, self._after, self._seconds))

    def _values(self) -> dict[str, float]:
        if not self.runs:
            return {}
        finals = [run.after[-1] for run in self.runs]
        mean, std = mean_and_std([sum(row) / len(row) for row in finals])
        return {"accuracy_mean": mean, "accuracy_std": std}


def shares(batch_size: int, num_sources: int) -> list[int]:
    """How many samples of a batch each source gives: equal parts, the first ones one more."""
    part, rest = divmod(batch_size, num_sources)
    return [part + (number < rest) for number in range(num_sources)]


def mixed_loss(learner: Learner, theta: Params, parts: list[Samples]) -> Tensor:
    """The mean cross-entropy over the samples of all parts."""
    total = sum(len(part.labels) for part in parts)
    losses = []
    for part in _joined(parts):
        logits = learner.forward(theta, part.entry, part.mask, derivatives=1).logits
        losses.append(soft_cross_entropy(logits, part.labels) * (len(part.labels) / total))
    return torch.stack(losses).sum()


def _joined(parts: list[Samples]) -> list[Samples]:
    """As few as possible: samples without masks are as long as each other."""
    whole = [part for part in parts if part.mask is None]
    masked = [part for part in parts if part.mask is not None]
    if not whole:
        return masked
    entry = torch.cat([part.entry for part in whole])
    return [*masked, Samples(entry, None, torch.cat([part.labels for part in whole]))]
