"""Run one task, whatever its kind."""

import functools
from collections.abc import Callable

from ..context.reporting import Outcome
from ..context.task_context import TaskContext
from ..errors import StillhouseError
from .distill import distill, take_part
from .evaluate import evaluate
from .frozen_features import (
    class_means_baseline,
    few_shot_probe_baseline,
    knn_baseline,
    knn_k_means_baseline,
    linear_probe_baseline,
)
from .full_training import full_baseline
from .pretrain import pretrain
from .real_samples import adam_baseline, coreset_baseline, k_means_baseline, random_baseline
from .replay import replay
from .setfit import setfit_baseline
from .teacher import teach
from .untrained import untrained_baseline

_WORKS: dict[str, Callable[[TaskContext], Outcome]] = {
    "pretrain": pretrain,
    "teach": teach,
    "distill": distill,
    "evaluate": evaluate,
    "replay": replay,
    "full": full_baseline,
    "random": random_baseline,
    "untrained": untrained_baseline,
    "linear_probe": linear_probe_baseline,
    "linear_probe_few": few_shot_probe_baseline,
    "class_means": class_means_baseline,
    "adam": adam_baseline,
    "k_means": k_means_baseline,
    "knn": knn_baseline,
    "knn_k_means": knn_k_means_baseline,
    "setfit_8": functools.partial(setfit_baseline, 8),
    "setfit_64": functools.partial(setfit_baseline, 64),
    "herding": functools.partial(coreset_baseline, "herding"),
    "kcenter": functools.partial(coreset_baseline, "kcenter"),
}
WORKS = tuple(_WORKS)
# Those whose learners, if any, start from draws of their own even where others have a pool.
_OF_OWN_DRAWS = (
    "pretrain",
    "teach",
    "full",
    "linear_probe",
    "linear_probe_few",
    "class_means",
    "knn",
    "knn_k_means",
    "setfit_8",
    "setfit_64",
)


def execute(work: str, task: TaskContext) -> Outcome:
    """Run ``work``, one of `WORKS`, or what earlier attempts left of it.

    Raises:
        Stopped: a stop was requested and the checkpoint is written.
        StillhouseError: a fault that a person can fix.
    """
    for folder in (task.work_dir, task.scratch):
        folder.mkdir(parents=True, exist_ok=True)
    needs_teacher = task.settings.distilled.internal_labels == "teacher"
    if work == "distill" and needs_teacher and not task.pool:
        raise StillhouseError(
            "invalid",
            '"distill" needs the teacher of its labels; give the folder that "teach" has written',
            field="distilled.internal_labels",
        )
    if task.settings.pool is not None and not task.pool and work not in _OF_OWN_DRAWS:
        raise StillhouseError(
            "invalid",
            f'"{work}" needs the learners of a pool; give the folders that "pretrain" has written',
            field="pool",
        )
    if task.seat is not None and task.seat.rank > 0:
        return take_part(task, task.seat)
    return _WORKS[work](task)
