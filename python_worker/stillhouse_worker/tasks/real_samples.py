"""BASELINE: learners trained on a few samples: at random, from a coreset, or centroids."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..context.bench import Bench, open_for_learners
from ..context.reporting import LearnerOutcome
from ..context.task_context import TaskContext
from ..datasets import collate
from ..distillation.adam import Adam
from ..distillation.inner import leaves, sgd
from ..errors import StillhouseError
from ..evaluation import Coreset
from ..evaluation.learner_series import tested_learners
from ..evaluation.rate_search import ADAM_LRS, SGD_LRS, choose, choose_lr
from ..evaluation.sample_rows import (
    RowsOf,
    centroids_of,
    chosen_rows,
    random_rows,
    sample_bytes,
)
from ..learners.interface import Params

# Numbers of steps that are tried with Adam, in rising order.
ADAM_STEPS = (10, 25, 50, 100, 200)
# Learners that rate and number of steps are chosen with: a search over all would cost hours.
_SEARCH_LEARNERS = 2


class FewSamples(NamedTuple):
    """What a learner is trained on.

    Attributes:
        entry: m x `Learner.entry_shape`.
        mask: see `Learner.forward`.
        labels: int64 [m].
    """

    entry: Tensor
    mask: Tensor | None
    labels: Tensor


# Init seed -> samples.
SamplesOf = Callable[[int], FewSamples]


def random_baseline(task: TaskContext) -> LearnerOutcome:
    """Learners trained on as many real samples as there are distilled ones; each draws its own."""
    bench = open_for_learners(task)
    rows_of = random_rows(bench)
    return _baseline(bench, _samples_of(bench, rows_of), sample_bytes(bench, rows_of))


def coreset_baseline(kind: Coreset, task: TaskContext) -> LearnerOutcome:
    """Learners trained on the rows that a coreset method chooses: all on the same ones."""
    bench = open_for_learners(task)
    rows_of = chosen_rows(kind, bench)
    return _baseline(bench, _samples_of(bench, rows_of), sample_bytes(bench, rows_of))


def k_means_baseline(task: TaskContext) -> LearnerOutcome:
    """Learners trained on k-means centroids of the pixels of each class: all on the same ones.

    Raises:
        StillhouseError: ``invalid`` where the data set holds texts: a mean of them is none.
    """
    bench = open_for_learners(task)
    if bench.dataset.image is None:
        raise StillhouseError(
            "invalid",
            "k-means needs images: the mean of texts is no text",
            field="baseline.k_means",
        )
    vectors, labels = (part.to(bench.device) for part in centroids_of(bench))
    entry = vectors.view(-1, *bench.learner.entry_shape(1))
    samples = FewSamples(entry, None, labels)
    return _baseline(bench, lambda _: samples, entry.numel() * entry.element_size())


def adam_baseline(task: TaskContext) -> LearnerOutcome:
    """As `random_baseline`, on the same samples, with Adam.

    Its rate, of `ADAM_LRS`, and its number of steps, of `ADAM_STEPS`, are those that are best on
    validation.
    """
    bench = open_for_learners(task)
    rows_of, seeds = random_rows(bench), task.init_seeds
    samples_of = _samples_of(bench, rows_of)

    def stages(seed: int, lr: float) -> Iterator[Params]:
        return _with_adam(bench, seed, samples_of(seed), lr)

    # The high ones first: they show early what the low ones have to come near.
    lrs = tuple(reversed(ADAM_LRS))
    lr, stage = choose(bench, lrs, stages, seeds[:_SEARCH_LEARNERS])
    outcomes = tested_learners(bench, lambda seed: next(islice(stages(seed, lr), stage, None)))
    num_samples, num_bytes = len(rows_of(seeds[0])), sample_bytes(bench, rows_of)
    return LearnerOutcome(outcomes, num_samples, ADAM_STEPS[stage], lr, num_bytes)


def _baseline(bench: Bench, samples_of: SamplesOf, stored_bytes: int) -> LearnerOutcome:
    """Learners with the rate of `SGD_LRS` that is best on validation with the same samples."""
    task = bench.task

    def learner(seed: int, lr: float) -> Params:
        return _with_sgd(bench, seed, samples_of(seed), lr)

    lr = choose_lr(bench, SGD_LRS, learner)
    outcomes = tested_learners(bench, lambda seed: learner(seed, lr))
    num_samples = len(samples_of(task.init_seeds[0]).labels)
    num_steps = task.settings.distilled.num_steps
    return LearnerOutcome(outcomes, num_samples, num_steps, lr, stored_bytes)


def _samples_of(bench: Bench, rows_of: RowsOf) -> SamplesOf:
    """Rows of train as samples."""

    def samples_of(init_seed: int) -> FewSamples:
        batch = collate(bench.splits["train"], rows_of(init_seed)).to(bench.device)
        return FewSamples(bench.learner.embed(*batch.inputs), batch.mask, batch.labels)

    return samples_of


def _with_sgd(bench: Bench, init_seed: int, samples: FewSamples, lr: float) -> Params:
    theta, gradient = bench.test_learner(init_seed), _gradient_on(bench, samples)
    for _ in range(bench.task.settings.distilled.num_steps):
        grads = gradient(theta)
        with torch.no_grad():
            theta = sgd(theta, grads, lr)
    return theta


def _with_adam(bench: Bench, init_seed: int, samples: FewSamples, lr: float) -> Iterator[Params]:
    """theta after each number of `ADAM_STEPS`; what was given before changes with it."""
    theta, gradient = bench.test_learner(init_seed), _gradient_on(bench, samples)
    theta = {name: tensor.clone() for name, tensor in theta.items()}
    adam = Adam(list(theta.values()))
    for step in range(1, max(ADAM_STEPS) + 1):
        adam.follow(gradient(theta), lr)
        if step in ADAM_STEPS:
            yield theta


def _gradient_on(bench: Bench, samples: FewSamples) -> Callable[[Params], Sequence[Tensor]]:
    """theta -> gradient of the mean cross-entropy on these samples, without dropout."""

    def gradient(theta: Params) -> Sequence[Tensor]:
        theta = leaves(theta)
        logits = bench.learner.forward(theta, samples.entry, samples.mask).logits
        loss = F.cross_entropy(logits, samples.labels)
        return torch.autograd.grad(loss, list(theta.values()))

    return gradient
