"""Run one task, whatever its kind."""

import functools
from collections.abc import Callable

from ..context.reporting import Outcome
from ..context.task_context import TaskContext
from .distill import distill
from .evaluate import evaluate
from .full_training import full_baseline
from .real_samples import coreset_baseline, random_baseline
from .untrained import untrained_baseline

_WORKS: dict[str, Callable[[TaskContext], Outcome]] = {
    "distill": distill,
    "evaluate": evaluate,
    "full": full_baseline,
    "random": random_baseline,
    "untrained": untrained_baseline,
    "herding": functools.partial(coreset_baseline, "herding"),
    "kcenter": functools.partial(coreset_baseline, "kcenter"),
}
WORKS = tuple(_WORKS)


def execute(work: str, task: TaskContext) -> Outcome:
    """Run ``work``, one of `WORKS`, or what earlier attempts left of it.

    Raises:
        Stopped: a stop was requested and the checkpoint is written.
        StillhouseError: what a person can mend.
    """
    for folder in (task.work_dir, task.scratch):
        folder.mkdir(parents=True, exist_ok=True)
    return _WORKS[work](task)
