"""BASELINE: classifiers on frozen features: linear ones, and the nearest of a few samples."""

from collections.abc import Callable

from torch import Tensor

from ..context.bench import Bench, open_for_learners
from ..context.reporting import LearnerOutcome, Stopped
from ..context.task_context import TaskContext
from ..datasets import select_rows
from ..evaluation import Measures, features_of, measures_of
from ..evaluation.learner_series import Timed, measure_learners, timed
from ..evaluation.linear_classifiers import (
    L2_STRENGTHS,
    LinearClassifier,
    class_means,
    searched_probe,
)
from ..evaluation.nearest_neighbours import NearestNeighbours, searched_neighbours
from ..evaluation.sample_rows import centroids_of, random_rows, sample_bytes
from ..evaluation.split_features import SplitFeatures, split_features
from ..learners.interface import Params

_FLOAT_BYTES = 4
# Features and labels.
Samples = tuple[Tensor, Tensor]
# By the init seed.
Classifiers = Callable[[int], LinearClassifier]


def linear_probe_baseline(task: TaskContext) -> LearnerOutcome:
    """Logistic regression on the features of all of train."""
    bench = open_for_learners(task)
    train, validation = (split_features(bench, split) for split in ("train", "validation"))

    def probe(_: int) -> LinearClassifier:
        return _searched(bench, train.vectors, train.labels, validation)

    return _linear_outcome(bench, probe, len(train.labels), train.seconds)


def few_shot_probe_baseline(task: TaskContext) -> LearnerOutcome:
    """Logistic regression on as many random samples as there are distilled ones."""
    bench = open_for_learners(task)
    validation, rows_of = split_features(bench, "validation"), random_rows(bench)

    def probe(seed: int) -> LinearClassifier:
        samples = select_rows(bench.splits["train"], rows_of(seed))
        vectors = features_of(bench.learner, samples, task.settings.precision)
        return _searched(bench, vectors, samples.labels, validation)

    return _linear_outcome(bench, probe, len(rows_of(task.init_seeds[0])), 0.0)


def class_means_baseline(task: TaskContext) -> LearnerOutcome:
    """The nearest mean of the features of each class of train."""
    bench = open_for_learners(task)
    train = split_features(bench, "train")

    def means(_: int) -> LinearClassifier:
        return class_means(train.vectors, train.labels, bench.num_classes)

    # Their biases follow from them.
    return _linear_outcome(bench, means, len(train.labels), train.seconds, has_bias=False)


def _searched(
    bench: Bench, vectors: Tensor, labels: Tensor, validation: SplitFeatures
) -> LinearClassifier:
    held_out, reporter = (validation.vectors, validation.labels), bench.task.reporter

    def on_evaluation(fitted: int) -> None:
        if reporter.stop_requested():
            raise Stopped
        reporter.progress("fitting", fitted, len(L2_STRENGTHS), {})

    train = (vectors, labels)
    return searched_probe(
        train, held_out, bench.num_classes, on_evaluation=on_evaluation
    ).classifier


def knn_baseline(task: TaskContext) -> LearnerOutcome:
    """The nearest of as many random samples as there are distilled ones."""
    bench = open_for_learners(task)
    rows_of = random_rows(bench)

    def samples_of(seed: int) -> Samples:
        samples = select_rows(bench.splits["train"], rows_of(seed))
        return features_of(bench.learner, samples, task.settings.precision), samples.labels

    return _neighbours(bench, samples_of, sample_bytes(bench, rows_of))


def knn_k_means_baseline(task: TaskContext) -> LearnerOutcome:
    """The nearest of the centroids that `k_means_baseline` trains learners on."""
    bench = open_for_learners(task)
    centroids = centroids_of(bench)
    return _neighbours(bench, lambda _: centroids, centroids[0].numel() * _FLOAT_BYTES)


def _neighbours(
    bench: Bench, samples_of: Callable[[int], Samples], stored_bytes: int
) -> LearnerOutcome:
    validation = split_features(bench, "validation")
    held_out = (validation.vectors, validation.labels)

    def learner(seed: int) -> Params:
        return searched_neighbours(samples_of(seed), held_out, bench.num_classes)._asdict()

    def logits(params: Params, features: Tensor) -> Tensor:
        return NearestNeighbours(**params).logits(features, bench.num_classes)

    num_samples = len(samples_of(bench.task.init_seeds[0])[1])
    return _outcome(bench, learner, logits, num_samples, 0.0, stored_bytes)


def _linear_outcome(
    bench: Bench,
    classifier_of: Classifiers,
    num_samples: int,
    seconds_before: float,
    *,
    has_bias: bool = True,
) -> LearnerOutcome:
    """Linear classifiers on the test split.

    Args:
        bench, num_samples, seconds_before: see `_outcome`.
        classifier_of: init seed -> classifier.
        has_bias: whether its bias has to be stored.
    """

    def learner(seed: int) -> Params:
        return classifier_of(seed)._asdict()

    def logits(params: Params, features: Tensor) -> Tensor:
        return LinearClassifier(**params).logits(features)

    numbers = bench.num_classes * (split_features(bench, "test").vectors.shape[1] + int(has_bias))
    return _outcome(bench, learner, logits, num_samples, seconds_before, numbers * _FLOAT_BYTES)


def _outcome(
    bench: Bench,
    learner: Callable[[int], Params],
    logits: Callable[[Params, Tensor], Tensor],
    num_samples: int,
    seconds_before: float,
    stored_bytes: int,
) -> LearnerOutcome:
    """Classifiers on the test split.

    Args:
        bench: data and encoder.
        learner: init seed -> classifier.
        logits: of a classifier, for features.
        num_samples: training rows of each.
        seconds_before: spent on what all of them share, a part of the training time of each.
        stored_bytes: of what a classifier needs.
    """
    test = split_features(bench, "test")

    def trained(seed: int) -> Timed:
        classifier = timed(learner)(seed)
        return classifier._replace(seconds=seconds_before + classifier.seconds)

    def tested(params: Params) -> Measures:
        return measures_of(logits(params, test.vectors), test.labels, bench.num_classes)

    outcomes = measure_learners(bench.task, trained, tested)
    return LearnerOutcome(outcomes, num_samples, 0, stored_bytes=stored_bytes)
