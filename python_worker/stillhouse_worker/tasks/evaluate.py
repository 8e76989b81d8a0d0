"""EVALUATE: train test learners on distilled data and measure them on the test split."""

from ..artifact_files import stored_bytes
from ..artifacts import load_artifact
from ..context.bench import open_for_learners
from ..context.reporting import LearnerOutcome
from ..context.task_context import TaskContext
from ..evaluation.learner_series import tested_learners
from ..learners.interface import Params
from .evaluate_varied import evaluate_varied


def evaluate(task: TaskContext) -> LearnerOutcome:
    """One learner per init seed, trained on the artifact of the task as it or a variation says."""
    assert task.artifact_path is not None
    if task.variation is not None:
        return evaluate_varied(task, task.variation, load_artifact(task.artifact_path))
    bench, artifact = open_for_learners(task, ("test",)), load_artifact(task.artifact_path)

    def learner(seed: int) -> Params:
        start = bench.test_learner(seed) if task.pool else None
        device = task.settings.device
        return artifact.train(seed, device=device, learner=bench.learner, start=start).params

    outcomes = tested_learners(bench, learner)
    data, num_bytes = artifact.data, stored_bytes(task.artifact_path)
    return LearnerOutcome(outcomes, len(data.x), len(data.lrs), stored_bytes=num_bytes)
