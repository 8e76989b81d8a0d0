"""BASELINE: learners before any training."""

from functools import partial

import torch

from ..context.bench import Bench, open_for_learners
from ..context.reporting import LearnerOutcome
from ..context.task_context import TaskContext
from ..evaluation import Measures, measures_of
from ..evaluation.learner_series import measure_learners, tested_learners, timed
from ..evaluation.split_features import split_features
from ..learners import Encoder
from ..learners.interface import Params
from ..learners.precision import autocast
from ..learners.transformer import run_head


def untrained_baseline(task: TaskContext) -> LearnerOutcome:
    """Learners before any training.

    Those of an encoder differ in their heads alone, so that it reads the test split once.
    """
    bench = open_for_learners(task, ("test",))
    if not isinstance(bench.learner, Encoder) or task.pool:
        return LearnerOutcome(tested_learners(bench, bench.test_learner), 0, 0)
    learner = timed(bench.test_learner)
    return LearnerOutcome(measure_learners(task, learner, partial(_tested_head, bench)), 0, 0)


@torch.no_grad()
def _tested_head(bench: Bench, theta: Params) -> Measures:
    test, device = split_features(bench, "test"), bench.device
    with autocast(device, bench.task.settings.precision):
        logits = run_head(theta, test.vectors.to(device))
    return measures_of(logits.float().cpu(), test.labels, bench.num_classes)
