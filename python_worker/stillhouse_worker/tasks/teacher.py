"""PRETRAIN, of a teacher: the learner that attention labels and hidden labels are from."""

from ..context.bench import Bench, open_bench
from ..context.reporting import PoolOutcome, environment
from ..context.resumable_loop import ResumableLoop
from ..context.task_context import TaskContext
from ..evaluation.measure import measure
from ..learners.interface import Params
from ..learners.pool import PoolId, open_pool, write_pool
from .full_training import full_steps, trained
from .pretrain import POOL_FOLDER

_TEACHER = PoolId("teacher", 0)


def teach(task: TaskContext) -> PoolOutcome:
    """Train a learner on all of train, as the full-data baseline does; the test split is not read.

    Raises:
        Stopped: a stop was requested; the checkpoint is written.
        StillhouseError: ``diverged``.
    """
    task.reporter.progress("loading", 0, len(task.init_seeds), {})
    bench = open_bench(task, ("train", "validation"))
    steps = full_steps(bench)
    loop = ResumableLoop(task, "training step", steps)
    loop.restore(loop.newest_checkpoint())
    loop.run()
    training = trained(steps)
    theta = training.finish()
    validation, precision = bench.splits["validation"], task.settings.precision
    accuracy = measure(bench.learner, theta, validation, precision).accuracy
    folder = task.scratch / POOL_FOLDER
    facts = {
        "model": task.settings.model._asdict(),
        "dataset": {"name": bench.dataset.name, "fingerprint": bench.dataset.fingerprint},
        "training": {**task.settings.full._asdict(), "lr": training.lr},
        "validation_accuracies": [accuracy],
        "environment": environment(task.settings.device),
    }
    write_pool(folder, {_TEACHER: {name: p.cpu() for name, p in theta.items()}}, facts)
    loop.save()
    return PoolOutcome(folder, [accuracy])


def teacher_of(bench: Bench) -> Params:
    """theta of the teacher among the learners that the task was given.

    Raises:
        StillhouseError: ``invalid`` where there is none.
    """
    return open_pool(bench.task.pool, bench.device).teacher()
