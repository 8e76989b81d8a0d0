"""BASELINE: learners trained on a few real samples, at random or from a coreset."""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..context.bench import Bench, open_bench
from ..context.reporting import LearnerOutcome, Reporter
from ..context.settings import Settings
from ..datasets import Batch, collate
from ..distillation.inner import leaves, sgd
from ..evaluation import Coreset
from ..evaluation.heads import head_of_learner
from ..evaluation.learner_series import tested_learners
from ..evaluation.rate_search import SGD_LRS, choose_lr
from ..evaluation.sample_rows import RowsOf, chosen_rows, random_rows
from ..learners import forward, learner_params
from ..learners.encoder import Params


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
