"""BASELINE: contrastive few-shot tuning, SetFit (Tunstall et al., 2022, arXiv 2209.11055).

The encoder is trained so that the features of two texts have a cosine of 1 where their classes are
the same and of 0 where they differ; a logistic regression on the features of the same texts is the
head. Settings are those of the paper: 20 pairs of either kind per text, one pass over them, Adam at
2e-5 with linear warm-up over a tenth of the steps and decay. Unlike there, the embeddings stay as
they are, as those of all learners do that are trained on few samples.

The strength of the head's penalty is chosen on validation, as that of the linear probe.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..context.bench import Bench, open_for_learners
from ..context.reporting import LearnerOutcome, Stopped
from ..context.task_context import TaskContext
from ..datasets import TokenSplit, collate, select_rows
from ..distillation.adam import Adam
from ..distillation.rates import Schedule
from ..distillation.synthetic import block_classes
from ..evaluation import Measures, features_of, measures_of
from ..evaluation.learner_series import measure_learners, timed
from ..evaluation.linear_classifiers import LinearClassifier, searched_probe
from ..evaluation.sample_rows import RowsOf, random_rows, sample_bytes
from ..learners import Encoder
from ..learners.interface import Params
from ..learners.precision import autocast
from ..seeding import derive_seed

PAIRS_PER_TEXT = 20
BATCH_PAIRS = 16
LEARNING_RATE = 2e-5
_SCHEDULE = Schedule("linear", warmup_fraction=0.1)
# Names of the head's parameters beside those of the tuned blocks.
_HEAD = "probe."


class Pair(NamedTuple):
    """Two of the chosen texts by their places, and whether their classes are the same."""

    first: int
    second: int
    is_same: bool


def setfit_baseline(per_class: int, task: TaskContext) -> LearnerOutcome:
    """Learners that are each tuned on ``per_class`` random texts of each class."""
    bench = open_for_learners(task)
    return _outcome(bench, random_rows(bench, block_classes(bench.num_classes, per_class)))


def pairs_of(labels: list[int], pairs_per_text: int, draws: random.Random) -> list[Pair]:
    """For each text as many random others of its class as of other classes, in random order.

    Args:
        labels: classes of the texts, at least two different ones.
        pairs_per_text: pairs of either kind per text; a text that is alone in its class has none
            with itself.
        draws: what chooses.
    """
    pairs = []
    for first, label in enumerate(labels):
        same = [at for at, other in enumerate(labels) if other == label and at != first]
        different = [at for at, other in enumerate(labels) if other != label]
        for others, is_same in ((same, True), (different, False)):
            if others:
                chosen = draws.choices(others, k=pairs_per_text)
                pairs += [Pair(first, second, is_same) for second in chosen]
    draws.shuffle(pairs)
    return pairs


def _outcome(bench: Bench, rows_of: RowsOf) -> LearnerOutcome:
    seeds, precision = bench.task.init_seeds, bench.task.settings.precision

    def learner(seed: int) -> Params:
        samples = select_rows(bench.texts("train"), rows_of(seed))
        encoder = bench.encoder._replace(blocks=_tuned(bench, samples, seed))
        train, validation = (
            (features_of(encoder, tokens, precision), tokens.labels)
            for tokens in (samples, bench.splits["validation"])
        )
        head = searched_probe(train, validation, bench.num_classes).classifier
        return encoder.blocks | {_HEAD + name: part for name, part in head._asdict().items()}

    def tested(params: Params) -> Measures:
        head = {name: params[_HEAD + name] for name in LinearClassifier._fields}
        blocks = {name: part for name, part in params.items() if not name.startswith(_HEAD)}
        test = bench.splits["test"]
        vectors = features_of(bench.encoder._replace(blocks=blocks), test, precision)
        return measures_of(LinearClassifier(**head).logits(vectors), test.labels, bench.num_classes)

    outcomes = measure_learners(bench.task, timed(learner), tested)
    rows = rows_of(seeds[0])
    num_steps = len(_batches(bench.splits["train"].labels[rows].tolist(), seeds[0]))
    return LearnerOutcome(outcomes, len(rows), num_steps, stored_bytes=sample_bytes(bench, rows_of))


def _tuned(bench: Bench, samples: TokenSplit, seed: int) -> Params:
    """The encoder's blocks after all steps; its embeddings stay, as those of every learner do."""
    batches, reporter = _batches(samples.labels.tolist(), seed), bench.task.reporter
    before = list(bench.task.init_seeds).index(seed) * len(batches)  # steps of the others
    blocks = {n: p.detach().clone().requires_grad_() for n, p in bench.encoder.blocks.items()}
    encoder, adam = bench.encoder._replace(blocks=blocks), Adam(list(blocks.values()))
    for step, pairs in enumerate(batches):
        if reporter.stop_requested():
            raise Stopped
        loss = _loss(bench, encoder, samples, pairs)
        grads = torch.autograd.grad(loss, list(blocks.values()), allow_unused=True)
        adam.follow(grads, _SCHEDULE.rate(step, len(batches), LEARNING_RATE))
        done, total = before + step + 1, len(batches) * len(bench.task.init_seeds)
        reporter.progress("tuning", done, total, {"loss": loss.item()})
    return {name: tensor.detach() for name, tensor in blocks.items()}


def _loss(bench: Bench, encoder: Encoder, samples: TokenSplit, pairs: list[Pair]) -> Tensor:
    first, second = (
        _features(bench, encoder, samples, [pair[side] for pair in pairs]) for side in (0, 1)
    )
    targets = torch.tensor([float(pair.is_same) for pair in pairs], device=bench.device)
    return F.mse_loss(F.cosine_similarity(first, second), targets)


def _features(
    bench: Bench, encoder: Encoder, samples: TokenSplit, rows: list[int]
) -> Float[Tensor, "b e"]:
    batch = collate(samples, torch.tensor(rows)).to(bench.device)
    with autocast(bench.device, bench.task.settings.precision):
        return encoder.pooled(encoder.embed(*batch.inputs), batch.mask).float()


def _batches(labels: list[int], seed: int) -> list[list[Pair]]:
    draws = random.Random(derive_seed(seed, "setfit pairs", 0))
    return list(_chunks(pairs_of(labels, PAIRS_PER_TEXT, draws)))


def _chunks(pairs: list[Pair]) -> Iterator[list[Pair]]:
    for start in range(0, len(pairs), BATCH_PAIRS):
        yield pairs[start : start + BATCH_PAIRS]
