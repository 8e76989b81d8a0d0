"""The few samples that a learner is trained on: drawn at random, a coreset, or centroids."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..context.bench import Bench
from ..context.notes import Notes
from ..context.reporting import Stopped
from ..datasets.rows import content_bytes
from ..datasets.sampling import draw_rows
from ..seeding import generator
from .centroids import class_centroids
from .coresets import Coreset, coreset_rows, features_of
from .split_features import split_features

# Init seed -> rows of train.
RowsOf = Callable[[int], Tensor]


def classes_of(bench: Bench) -> list[int]:
    """The class of each distilled sample at its start, block after block."""
    settings = bench.task.settings
    distilled = settings.distilled
    return distilled.classes(bench.num_classes, settings.seed) * distilled.blocks


def random_rows(bench: Bench, classes: Sequence[int] | None = None) -> RowsOf:
    """Rows of these classes that every learner draws for itself; by default as are distilled."""
    wanted = classes_of(bench) if classes is None else classes

    def rows_of(init_seed: int) -> Tensor:
        draws = generator(init_seed, "random samples")
        return draw_rows(bench.splits["train"], wanted, draws)

    return rows_of


def sample_bytes(bench: Bench, rows_of: RowsOf) -> int:
    """UTF-8 bytes of the texts of a learner, the mean over the init seeds of the task."""
    train = bench.dataset.splits["train"]
    sizes = [content_bytes(train, rows_of(seed).tolist()) for seed in bench.task.init_seeds]
    return round(sum(sizes) / len(sizes))


def chosen_rows(kind: Coreset, bench: Bench, classes: Sequence[int] | None = None) -> RowsOf:
    """The rows of a coreset, the same for all learners; noted in the task's folder.

    Classes as for `random_rows`.
    """
    wanted = classes_of(bench) if classes is None else classes
    task = bench.task
    notes = Notes(task, "rows", "rows.json")
    rows: list[int] | None = notes.read()
    if rows is None:

        def on_batch(done: int, total: int) -> None:
            if task.reporter.stop_requested():
                raise Stopped
            task.reporter.progress("choosing samples", done, total, {})

        train, settings = bench.splits["train"], task.settings
        vectors = features_of(bench.learner, train, settings.precision, on_batch)
        rows = coreset_rows(kind, vectors, train.labels, wanted).tolist()
        notes.write(0, rows)
    chosen = torch.tensor(rows)
    return lambda _: chosen


def centroids_of(bench: Bench) -> tuple[Tensor, Tensor]:
    """The k-means centroids of each class in the space of frozen features, and their classes.

    There are as many as distilled samples, and all learners have the same.
    """
    train, seed = split_features(bench, "train"), bench.task.settings.seed
    draws = generator(seed, "k-means")
    return class_centroids(train.vectors, train.labels, classes_of(bench), draws)
