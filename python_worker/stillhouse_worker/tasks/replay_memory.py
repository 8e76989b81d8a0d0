"""What learners remember of the tasks of continual learning that they have met."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ..artifact_files import stored_bytes
from ..artifacts import load_artifact
from ..context.bench import Bench
from ..datasets import RealSplit, collate, select_rows
from ..datasets.parts import DataPart, part_of
from ..datasets.rows import content_bytes
from ..datasets.sampling import draw_rows
from ..distillation.synthetic import one_hot
from ..errors import StillhouseError
from .initial_data import initial_noise


class Samples(NamedTuple):
    """Some samples at the entry of a learner.

    Attributes:
        entry: m x `Learner.entry_shape`.
        mask: see `Learner.forward`.
        labels: m x C.
    """

    entry: Tensor
    mask: Tensor | None
    labels: Float[Tensor, "m c"]


@runtime_checkable
class Source(Protocol):
    """The samples of one task that a learner has at hand."""

    @property
    def num_samples(self) -> int:
        """How many there are."""

    def samples(self, rows: Tensor) -> Samples:
        """Those of these numbers, int64 [m], which may repeat."""


class RealRows(NamedTuple):
    """Real samples as a source."""

    bench: Bench
    split: RealSplit

    @property
    def num_samples(self) -> int:
        """See `Source`."""
        return len(self.split.labels)

    def samples(self, rows: Tensor) -> Samples:
        """See `Source`."""
        batch, learner = collate(self.split, rows), self.bench.learner
        labels = one_hot(self.bench.num_classes, batch.labels.tolist())
        batch = batch.to(self.bench.device)
        return Samples(learner.embed(*batch.inputs), batch.mask, labels.to(self.bench.device))


class Distilled(NamedTuple):
    """Distilled samples as a source, with the labels that they have."""

    x: Tensor
    labels: Tensor

    @property
    def num_samples(self) -> int:
        """See `Source`."""
        return len(self.x)

    def samples(self, rows: Tensor) -> Samples:
        """See `Source`."""
        own = rows.to(self.x.device)
        return Samples(self.x[own], None, self.labels[own])


class Memory(NamedTuple):
    """What is kept of a task.

    Attributes:
        source: its samples.
        num_bytes: of them, as they are stored.
    """

    source: Source
    num_bytes: int


# The number of a task, from 0 -> its memory; None: nothing is kept.
MemoryOf = Callable[[int], Memory | None]


class TaskData(NamedTuple):
    """The rows of the tasks, each made when it is asked for."""

    bench: Bench
    tasks: tuple[DataPart, ...]

    def train(self, task: int) -> RealSplit:
        """The training rows of a task."""
        return part_of(self.bench.splits["train"], self.tasks[task])

    def test(self, task: int) -> RealSplit:
        """Its test rows.

        Raises:
            StillhouseError: ``invalid`` where there are none.
        """
        rows = part_of(self.bench.splits["test"], self.tasks[task])
        if len(rows.labels) > 0:
            return rows
        classes = ", ".join(map(str, self.tasks[task].classes))
        raise StillhouseError(
            "invalid",
            f"task {task + 1} has no test rows of its classes {classes}; leave them out with "
            "--class-order",
            field="replay.tasks",
        )


def memories_of(data: TaskData) -> MemoryOf:
    """The memories that the method of the task keeps, each made once."""
    task = data.bench.task
    if task.method == "simple":
        return lru_cache(maxsize=None)(lambda number: _drawn(data, number))
    if task.method == "distilled":
        return lru_cache(maxsize=None)(lambda number: _distilled(data.bench, task.memories[number]))
    if task.method == "joint":
        return lru_cache(maxsize=None)(lambda number: _all_rows(data, number))
    return lambda number: None


def _drawn(data: TaskData, number: int) -> Memory:
    """The real samples that a distillation with this seed starts from."""
    bench, part = data.bench, data.tasks[number]
    settings, train = bench.task.settings, data.train(number)
    classes = part.sample_classes(settings.distilled.per_class, range(bench.num_classes))
    _, draws = initial_noise(bench, len(classes), part.seed(settings.seed))
    rows = draw_rows(train, classes, draws)
    return Memory(RealRows(bench, select_rows(train, rows)), _real_bytes(data, number, rows))


def _all_rows(data: TaskData, number: int) -> Memory:
    train = data.train(number)
    rows = torch.arange(len(train.labels))
    return Memory(RealRows(data.bench, train), _real_bytes(data, number, rows))


def _real_bytes(data: TaskData, number: int, rows: Tensor) -> int:
    """Of these rows of a task; permuted pixels are as many bytes."""
    of_task = data.tasks[number].rows(data.bench.splits["train"].labels)
    return content_bytes(data.bench.dataset.splits["train"], of_task[rows].tolist())


def _distilled(bench: Bench, folder: Path) -> Memory:
    data = load_artifact(folder).data.map(lambda tensor: tensor.to(bench.device))
    return Memory(Distilled(data.x, data.class_labels), stored_bytes(folder))
