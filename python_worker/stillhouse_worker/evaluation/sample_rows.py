"""Which real samples a learner is trained on: drawn at random, or chosen as a coreset."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ..context.bench import Bench
from ..context.notes import Notes
from ..context.reporting import Reporter, Stopped
from ..context.settings import Settings
from ..datasets.sampling import draw_rows
from ..seeding import generator
from .coresets import Coreset, coreset_rows, features_of

# Init seed -> rows of train, per_class of each class in turn.
RowsOf = Callable[[int], Tensor]


def random_rows(settings: Settings, bench: Bench) -> RowsOf:
    """Rows that every learner draws for itself."""

    def rows_of(init_seed: int) -> Tensor:
        draws = generator(init_seed, "random samples")
        num_classes = len(bench.dataset.class_names)
        return draw_rows(bench.tokens["train"], num_classes, settings.distilled.per_class, draws)

    return rows_of


def chosen_rows(
    kind: Coreset, settings: Settings, bench: Bench, reporter: Reporter, work_dir: Path
) -> RowsOf:
    """The rows of a coreset, the same for all learners; noted in ``work_dir``."""
    notes = Notes(work_dir, "rows", "rows.json", reporter)
    rows: list[int] | None = notes.read()
    if rows is None:

        def on_batch(done: int, total: int) -> None:
            if reporter.stop_requested():
                raise Stopped
            reporter.progress("choosing samples", done, total, {})

        train = bench.tokens["train"]
        vectors = features_of(bench.encoder, train, settings.precision, on_batch)
        rows = coreset_rows(kind, vectors, train.labels, settings.distilled.per_class).tolist()
        notes.write(0, rows)
    chosen = torch.tensor(rows)
    return lambda _: chosen
