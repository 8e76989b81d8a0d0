"""The outcome of a task, as the control plane stores it."""

import errno
import traceback
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from stillhouse_proto.v1 import experiment_pb2, failure_pb2

from ..context.reporting import (
    DistillOutcome,
    LearnerOutcome,
    Outcome,
    PoolOutcome,
    ReplayOutcome,
    ReplayRun,
    TeamOutcome,
)
from ..errors import StillhouseError


def is_retryable(error: Any) -> bool:
    """Whether the `Failure` in the trailing metadata of a failed call says so."""
    metadata = dict(error.trailing_metadata() or ())
    return failure_pb2.Failure.FromString(metadata.get("stillhouse-failure-bin", b"")).retryable


def failure_of(error: BaseException) -> failure_pb2.Failure:
    """An exception as data: a person's mistake without a traceback, a defect with one."""
    if isinstance(error, StillhouseError):
        return failure_pb2.Failure(
            kind=failure_pb2.FailureKind.Value(f"FAILURE_KIND_{error.kind.upper()}"),
            message=error.message,
            field=error.field,
            retryable=error.retryable,
        )
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return failure_pb2.Failure(
            kind=failure_pb2.FAILURE_KIND_EXHAUSTED,
            message=f"memory is exhausted: {error}; a smaller --batch-size or --seq-len needs less",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return failure_pb2.Failure(
            kind=failure_pb2.FAILURE_KIND_EXHAUSTED,
            message=f"the disk is full: {error}; free some space and resume the experiment",
        )
    return failure_pb2.Failure(
        kind=failure_pb2.FAILURE_KIND_INTERNAL,
        message=f"{type(error).__name__}: {error}",
        traceback="".join(traceback.format_exception(error)),
    )


class Cost(NamedTuple):
    """What a task took; its fields are those of ``TaskResult``.

    Attributes:
        wall_time_s: seconds of all its attempts.
        joules: energy of the machine meanwhile; None where it is not known.
        cpu_time_s: processor time of this process meanwhile; None where it is not known.
    """

    wall_time_s: float
    joules: float | None = None
    cpu_time_s: float | None = None


def task_result(
    outcome: Outcome,
    stored: experiment_pb2.Artifact | None,
    cost: Cost,
    environment: Mapping[str, str],
) -> experiment_pb2.TaskResult:
    """Result of a task.

    Args:
        outcome: what it has found; of a member of a team the result has no kind.
        stored: the artifact of one that has any, as the control plane has stored it.
        cost: what it took.
        environment: with which it was computed.
    """
    given: dict[str, Any] = {"environment": environment, **cost._asdict()}
    if isinstance(outcome, LearnerOutcome):
        return experiment_pb2.TaskResult(learners=_learners(outcome), **given)
    if isinstance(outcome, ReplayOutcome):
        return experiment_pb2.TaskResult(replay=_replay(outcome), **given)
    if isinstance(outcome, PoolOutcome):
        pool = experiment_pb2.PretrainResult(artifact=stored, accuracies=outcome.accuracies)
        return experiment_pb2.TaskResult(pretrain=pool, **given)
    if isinstance(outcome, TeamOutcome):
        return experiment_pb2.TaskResult(**given)
    return experiment_pb2.TaskResult(distill=_distilled(outcome, stored), **given)


def _learners(outcome: LearnerOutcome) -> experiment_pb2.LearnerResult:
    return experiment_pb2.LearnerResult(
        inits=[experiment_pb2.InitResult(**entry._asdict()) for entry in outcome.inits],
        train_samples=outcome.train_samples,
        gd_steps=outcome.gd_steps,
        chosen_lr=outcome.chosen_lr,
        stored_bytes=outcome.stored_bytes,
    )


def _distilled(
    outcome: DistillOutcome, stored: experiment_pb2.Artifact | None
) -> experiment_pb2.DistillResult:
    return experiment_pb2.DistillResult(
        artifact=stored,
        kept_step=outcome.kept_step,
        validation_accuracy=outcome.validation_accuracy,
        outer_steps=outcome.outer_steps,
        steps_per_second=outcome.steps_per_second,
    )


def _replay(outcome: ReplayOutcome) -> experiment_pb2.ReplayResult:
    return experiment_pb2.ReplayResult(
        runs=[_run(run) for run in outcome.runs],
        memory_samples=outcome.memory_samples,
        memory_bytes=outcome.memory_bytes,
        gd_steps=outcome.gd_steps,
    )


def _run(run: ReplayRun) -> experiment_pb2.ReplayRun:
    after = [experiment_pb2.TaskAccuracies(accuracies=row) for row in run.after]
    return experiment_pb2.ReplayRun(
        init_seed=run.init_seed, after=after, train_time_s=run.train_time_s
    )
