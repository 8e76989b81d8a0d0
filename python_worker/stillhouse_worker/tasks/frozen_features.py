"""BASELINE: linear classifiers on features of the frozen encoder; nothing of it is trained."""

import time
from collections.abc import Callable

from torch import Tensor

from ..context.bench import Bench, open_bench
from ..context.reporting import LearnerOutcome
from ..context.task_context import TaskContext
from ..datasets import select_rows
from ..evaluation import Measures, features_of, measures_of
from ..evaluation.learner_series import Timed, measure_learners
from ..evaluation.linear_classifiers import LinearClassifier, class_means, searched_probe
from ..evaluation.sample_rows import random_rows
from ..evaluation.split_features import SplitFeatures, split_features

_FLOAT_BYTES = 4
# Init seed -> a classifier, and seconds beside those of the call.
Classifiers = Callable[[int], tuple[LinearClassifier, float]]


def linear_probe_baseline(task: TaskContext) -> LearnerOutcome:
    """Logistic regression on the features of all of train."""
    bench = _opened(task)
    train, validation = (split_features(bench, split) for split in ("train", "validation"))

    def probe(_: int) -> tuple[LinearClassifier, float]:
        return _searched(bench, train.vectors, train.labels, validation), train.seconds

    return _outcome(bench, probe, len(train.labels))


def few_shot_probe_baseline(task: TaskContext) -> LearnerOutcome:
    """Logistic regression on as many random samples as there are distilled ones."""
    bench = _opened(task)
    validation, rows_of = split_features(bench, "validation"), random_rows(bench)

    def probe(seed: int) -> tuple[LinearClassifier, float]:
        samples = select_rows(bench.tokens["train"], rows_of(seed))
        vectors = features_of(bench.encoder, samples, task.settings.precision)
        return _searched(bench, vectors, samples.labels, validation), 0.0

    return _outcome(bench, probe, len(rows_of(task.init_seeds[0])))


def class_means_baseline(task: TaskContext) -> LearnerOutcome:
    """The nearest mean of the features of each class of train."""
    bench = _opened(task)
    train = split_features(bench, "train")

    def means(_: int) -> tuple[LinearClassifier, float]:
        return class_means(train.vectors, train.labels, bench.num_classes), train.seconds

    # Their biases follow from them.
    return _outcome(bench, means, len(train.labels), has_bias=False)


def _opened(task: TaskContext) -> Bench:
    task.reporter.progress("loading", 0, len(task.init_seeds), {})
    return open_bench(task, ("train", "validation", "test"))


def _searched(
    bench: Bench, vectors: Tensor, labels: Tensor, validation: SplitFeatures
) -> LinearClassifier:
    held_out = (validation.vectors, validation.labels)
    return searched_probe((vectors, labels), held_out, bench.num_classes).classifier


def _outcome(
    bench: Bench, classifier_of: Classifiers, num_samples: int, *, has_bias: bool = True
) -> LearnerOutcome:
    """Classifiers on the test split.

    Args:
        bench: data and encoder.
        classifier_of: init seed -> classifier, and seconds beside those of making it.
        num_samples: rows that each was made of.
        has_bias: whether its bias has to be stored.
    """
    test = split_features(bench, "test")

    def timed(seed: int) -> Timed:
        started = time.perf_counter()
        classifier, before = classifier_of(seed)
        return Timed(classifier._asdict(), before + time.perf_counter() - started)

    def tested(params: dict[str, Tensor]) -> Measures:
        logits = LinearClassifier(**params).logits(test.vectors)
        return measures_of(logits, test.labels, bench.num_classes)

    outcomes = measure_learners(bench.task, timed, tested)
    numbers = bench.num_classes * (test.vectors.shape[1] + int(has_bias))
    return LearnerOutcome(outcomes, num_samples, 0, stored_bytes=numbers * _FLOAT_BYTES)
