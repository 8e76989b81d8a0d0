"""BASELINE: learners before any training."""

from ..context.bench import open_for_learners
from ..context.reporting import LearnerOutcome
from ..context.task_context import TaskContext
from ..evaluation.learner_series import tested_learners


def untrained_baseline(task: TaskContext) -> LearnerOutcome:
    """Learners before any training."""
    bench = open_for_learners(task, ("test",))
    return LearnerOutcome(tested_learners(bench, bench.test_learner), 0, 0)
