"""BASELINE: learners trained on a few real samples, at random or from a coreset."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor

from ..context.bench import Bench, open_for_learners
from ..context.reporting import LearnerOutcome
from ..context.task_context import TaskContext
from ..datasets import collate
from ..distillation.adam import Adam
from ..distillation.inner import leaves, sgd
from ..evaluation import Coreset
from ..evaluation.learner_series import tested_learners
from ..evaluation.rate_search import ADAM_LRS, SGD_LRS, choose, choose_lr
from ..evaluation.sample_rows import RowsOf, chosen_rows, random_rows, sample_bytes
from ..learners.interface import Params

# Numbers of steps that are tried with Adam, in rising order.
ADAM_STEPS = (10, 25, 50, 100, 200)
# Learners that rate and number of steps are chosen with: a search over all would cost hours.
_SEARCH_LEARNERS = 2


def random_baseline(task: TaskContext) -> LearnerOutcome:
    """Learners trained on as many real samples as there are distilled ones; each draws its own."""
    bench = open_for_learners(task)
    return _baseline(bench, random_rows(bench))


def coreset_baseline(kind: Coreset, task: TaskContext) -> LearnerOutcome:
    """Learners trained on the rows that a coreset method chooses: all on the same ones."""
    bench = open_for_learners(task)
    return _baseline(bench, chosen_rows(kind, bench))


def adam_baseline(task: TaskContext) -> LearnerOutcome:
    """As `random_baseline`, on the same samples, with Adam.

    Its rate, of `ADAM_LRS`, and its number of steps, of `ADAM_STEPS`, are those that are best on
    validation.
    """
    bench = open_for_learners(task)
    rows_of, seeds = random_rows(bench), task.init_seeds

    def stages(seed: int, lr: float) -> Iterator[Params]:
        return _adam_on_rows(bench, seed, rows_of(seed), lr)

    # The high ones first: they show early what the low ones have to come near.
    lrs = tuple(reversed(ADAM_LRS))
    lr, stage = choose(bench, lrs, stages, seeds[:_SEARCH_LEARNERS])
    outcomes = tested_learners(bench, lambda seed: next(islice(stages(seed, lr), stage, None)))
    num_samples, num_bytes = len(rows_of(seeds[0])), sample_bytes(bench, rows_of)
    return LearnerOutcome(outcomes, num_samples, ADAM_STEPS[stage], lr, num_bytes)


def _baseline(bench: Bench, rows_of: RowsOf) -> LearnerOutcome:
    """Learners with the rate of `SGD_LRS` that is best on validation with the same rows."""
    task = bench.task

    def learner(seed: int, lr: float) -> Params:
        return _train_on_rows(bench, seed, rows_of(seed), lr)

    lr = choose_lr(bench, SGD_LRS, learner)
    outcomes = tested_learners(bench, lambda seed: learner(seed, lr))
    return LearnerOutcome(
        outcomes,
        len(rows_of(task.init_seeds[0])),
        task.settings.distilled.num_steps,
        lr,
        sample_bytes(bench, rows_of),
    )


def _train_on_rows(bench: Bench, init_seed: int, rows: Tensor, lr: float) -> Params:
    theta, gradient = bench.test_learner(init_seed), _gradient_on(bench, rows)
    for _ in range(bench.task.settings.distilled.num_steps):
        grads = gradient(theta)
        with torch.no_grad():
            theta = sgd(theta, grads, lr)
    return theta


def _adam_on_rows(bench: Bench, init_seed: int, rows: Tensor, lr: float) -> Iterator[Params]:
    """theta after each number of `ADAM_STEPS`; what was given before changes with it."""
    theta, gradient = bench.test_learner(init_seed), _gradient_on(bench, rows)
    theta = {name: tensor.clone() for name, tensor in theta.items()}
    adam = Adam(list(theta.values()))
    for step in range(1, max(ADAM_STEPS) + 1):
        adam.follow(gradient(theta), lr)
        if step in ADAM_STEPS:
            yield theta


def _gradient_on(bench: Bench, rows: Tensor) -> Callable[[Params], Sequence[Tensor]]:
    """theta -> gradient of the mean cross-entropy on these rows of train, without dropout."""
    batch = collate(bench.tokens["train"], rows).to(bench.device)
    entry = bench.learner.embed(*batch.inputs)

    def gradient(theta: Params) -> Sequence[Tensor]:
        theta = leaves(theta)
        logits = bench.learner.forward(theta, entry, batch.mask).logits
        loss = F.cross_entropy(logits, batch.labels)
        return torch.autograd.grad(loss, list(theta.values()))

    return gradient
