"""EVALUATE with learners that are trained otherwise than the distilled data says."""

import dataclasses

import torch

from ..artifact_files import stored_bytes
from ..artifacts import Artifact
from ..context.bench import Bench, open_for_learners
from ..context.reporting import LearnerOutcome
from ..context.task_context import TaskContext
from ..context.variation import REAL_SAMPLES, Variation
from ..datasets.rows import SplitName
from ..evaluation.learner_series import tested_learners
from ..evaluation.rate_search import ADAM_LRS, SGD_LRS, choose_lr
from ..evaluation.sample_rows import chosen_rows, random_rows
from ..evaluation.varied_training import (
    Training,
    check_fit,
    decoded,
    labelled,
    train_varied,
    with_real_samples,
)
from ..learners.interface import Params


def evaluate_varied(task: TaskContext, variation: Variation, artifact: Artifact) -> LearnerOutcome:
    """One learner per init seed, trained as ``variation`` says; a rate is chosen on validation."""
    own = task._replace(settings=variation.settings(task.settings))
    bench = open_for_learners(own, _splits(variation))
    learners = _Learners(bench, variation, artifact)
    lr = 0.0
    if variation.searches_lr:
        lrs = ADAM_LRS if variation.optimiser == "adam" else SGD_LRS
        lr = choose_lr(bench, lrs, learners.train)
    outcomes = tested_learners(bench, lambda seed: learners.train(seed, lr))
    data = artifact.data
    num_bytes = stored_bytes(task.artifact_path) if task.artifact_path else 0
    return LearnerOutcome(outcomes, len(data.x), variation.num_gd_steps(data), lr, num_bytes)


def _splits(variation: Variation) -> tuple[SplitName, ...]:
    """Those that are needed; the test split for the last measurement alone."""
    train: tuple[SplitName, ...] = ("train",) if variation.samples in REAL_SAMPLES else ()
    validation: tuple[SplitName, ...] = ("validation",) if variation.searches_lr else ()
    return (*train, *validation, "test")


class _Learners:
    """Trains the learners of a variation."""

    def __init__(self, bench: Bench, variation: Variation, artifact: Artifact) -> None:
        self.bench, self.variation = bench, variation
        num_keys = artifact.data.x.shape[1]
        self.loss = dataclasses.replace(artifact.inner_loss(bench.learner), num_keys=num_keys)
        classes = artifact.sample_classes
        data = labelled(variation, artifact.data, classes).map(lambda t: t.to(bench.device))
        check_fit(variation, data, bench.learner)
        if variation.samples == "decoded":
            data = data._replace(x=decoded(bench.encoder, data.x))
        self.data = data
        if variation.samples == "random":
            self.rows_of = random_rows(bench, classes)
        elif variation.samples in ("herding", "kcenter"):
            self.rows_of = chosen_rows(variation.samples, bench, classes)

    def train(self, init_seed: int, lr: float) -> Params:
        """A learner; ``lr`` is the rate of every step, or 0 for those of the distilled data."""
        training = self._training(init_seed)
        if lr:
            lrs = torch.full_like(training.data.lrs, lr)
            training = training._replace(data=training.data._replace(lrs=lrs))
        theta = self.bench.test_learner(init_seed)
        return train_varied(self.variation, self.loss, training, theta, init_seed)

    def _training(self, init_seed: int) -> Training:
        if self.variation.samples not in REAL_SAMPLES:
            return Training(self.data)
        return with_real_samples(self.data, self.bench, self.rows_of(init_seed))
