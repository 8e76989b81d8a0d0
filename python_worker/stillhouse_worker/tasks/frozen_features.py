"""BASELINE: linear classifiers on features of the encoder, which stays frozen."""

from collections.abc import Callable

from torch import Tensor

from ..context.bench import Bench, open_for_learners
from ..context.reporting import LearnerOutcome
from ..context.task_context import TaskContext
from ..datasets import select_rows
from ..evaluation import Measures, features_of, measures_of
from ..evaluation.learner_series import Timed, measure_learners, timed
from ..evaluation.linear_classifiers import LinearClassifier, class_means, searched_probe
from ..evaluation.sample_rows import random_rows
from ..evaluation.split_features import SplitFeatures, split_features
from ..learners.interface import Params

_FLOAT_BYTES = 4
# By the init seed.
Classifiers = Callable[[int], LinearClassifier]


def linear_probe_baseline(task: TaskContext) -> LearnerOutcome:
    """Logistic regression on the features of all of train."""
    bench = open_for_learners(task)
    train, validation = (split_features(bench, split) for split in ("train", "validation"))

    def probe(_: int) -> LinearClassifier:
        return _searched(bench, train.vectors, train.labels, validation)

    return _outcome(bench, probe, len(train.labels), train.seconds)


def few_shot_probe_baseline(task: TaskContext) -> LearnerOutcome:
    """Logistic regression on as many random samples as there are distilled ones."""
    bench = open_for_learners(task)
    validation, rows_of = split_features(bench, "validation"), random_rows(bench)

    def probe(seed: int) -> LinearClassifier:
        samples = select_rows(bench.tokens["train"], rows_of(seed))
        vectors = features_of(bench.learner, samples, task.settings.precision)
        return _searched(bench, vectors, samples.labels, validation)

    return _outcome(bench, probe, len(rows_of(task.init_seeds[0])), 0.0)


def class_means_baseline(task: TaskContext) -> LearnerOutcome:
    """The nearest mean of the features of each class of train."""
    bench = open_for_learners(task)
    train = split_features(bench, "train")

    def means(_: int) -> LinearClassifier:
        return class_means(train.vectors, train.labels, bench.num_classes)

    # Their biases follow from them.
    return _outcome(bench, means, len(train.labels), train.seconds, has_bias=False)


def _searched(
    bench: Bench, vectors: Tensor, labels: Tensor, validation: SplitFeatures
) -> LinearClassifier:
    held_out = (validation.vectors, validation.labels)
    return searched_probe((vectors, labels), held_out, bench.num_classes).classifier


def _outcome(
    bench: Bench,
    classifier_of: Classifiers,
    num_samples: int,
    seconds_before: float,
    *,
    has_bias: bool = True,
) -> LearnerOutcome:
    """Classifiers on the test split.

    Args:
        bench: data and encoder.
        classifier_of: init seed -> classifier.
        num_samples: training rows of each.
        seconds_before: spent on what all of them share, a part of the training time of each.
        has_bias: whether its bias has to be stored.
    """
    test = split_features(bench, "test")

    def learner(seed: int) -> Params:
        return classifier_of(seed)._asdict()

    def trained(seed: int) -> Timed:
        classifier = timed(learner)(seed)
        return classifier._replace(seconds=seconds_before + classifier.seconds)

    def tested(params: dict[str, Tensor]) -> Measures:
        logits = LinearClassifier(**params).logits(test.vectors)
        return measures_of(logits, test.labels, bench.num_classes)

    outcomes = measure_learners(bench.task, trained, tested)
    numbers = bench.num_classes * (test.vectors.shape[1] + int(has_bias))
    return LearnerOutcome(outcomes, num_samples, 0, stored_bytes=numbers * _FLOAT_BYTES)
