"""BASELINE: learners trained on a few real samples, at random or from a coreset."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets import Batch, collate
from ..datasets.sampling import draw_rows
from ..distillation.inner import leaves, sgd
from ..evaluation import Coreset, coreset_rows, features_of
from ..learners import forward, learner_params
from ..learners.encoder import Params
from ..seeding import generator
from .heads import head_of_learner
from .learner_series import tested_learners
from .notes import Notes
from .opening import Bench, open_bench
from .rate_search import SGD_LRS, choose_lr
from .reporting import LearnerOutcome, Reporter, Stopped
from .settings import Settings

# Init seed -> rows of train, per_class of each class in turn.
RowsOf = Callable[[int], Tensor]


def random_baseline(
    settings: Settings, init_seeds: Sequence[int], reporter: Reporter, work_dir: Path
) -> LearnerOutcome:
    """Learners trained on as many real samples as there are distilled ones; each draws its own."""
    bench = _opened(settings, init_seeds, reporter)
    return _baseline(settings, bench, random_rows(settings, bench), init_seeds, reporter, work_dir)


def coreset_baseline(
    kind: Coreset,
    settings: Settings,
    init_seeds: Sequence[int],
    reporter: Reporter,
    work_dir: Path,
) -> LearnerOutcome:
    """Learners trained on the rows that a coreset method chooses: all on the same ones."""
    bench = _opened(settings, init_seeds, reporter)
    rows_of = chosen_rows(kind, settings, bench, reporter, work_dir)
    return _baseline(settings, bench, rows_of, init_seeds, reporter, work_dir)


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


def _opened(settings: Settings, init_seeds: Sequence[int], reporter: Reporter) -> Bench:
    reporter.progress("loading", 0, len(init_seeds), {})
    return open_bench(settings, ("train", "validation", "test"))


def _baseline(
    settings: Settings,
    bench: Bench,
    rows_of: RowsOf,
    init_seeds: Sequence[int],
    reporter: Reporter,
    work_dir: Path,
) -> LearnerOutcome:
    """Learners with the rate of `SGD_LRS` that is best on validation with the same rows."""

    def learner(seed: int, lr: float) -> Params:
        return _train_on_rows(settings, bench, seed, rows_of(seed), lr)

    lr = choose_lr(SGD_LRS, learner, init_seeds, settings, bench, reporter, work_dir)
    outcomes = tested_learners(
        init_seeds, lambda seed: learner(seed, lr), settings, bench, reporter, work_dir
    )
    num_samples = len(rows_of(init_seeds[0]))
    return LearnerOutcome(outcomes, num_samples, settings.distilled.num_steps, lr)


def _train_on_rows(
    settings: Settings, bench: Bench, init_seed: int, rows: Tensor, lr: float
) -> Params:
    batch = Batch(*(tensor.to(bench.device) for tensor in collate(bench.tokens["train"], rows)))
    entry = bench.encoder.embed(batch.input_ids, batch.token_type_ids)
    theta = learner_params(bench.encoder, head_of_learner(settings, bench, init_seed))
    for _ in range(settings.distilled.num_steps):
        theta = leaves(theta)
        logits = forward(bench.encoder.config, theta, entry, batch.mask).logits
        loss = F.cross_entropy(logits, batch.labels)
        grads = torch.autograd.grad(loss, list(theta.values()))
        with torch.no_grad():
            theta = sgd(theta, grads, lr)
    return theta
