"""The outcome of a task, as the control plane stores it."""

import errno
import traceback
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from stillhouse_proto.v1 import experiment_pb2, failure_pb2

from ..context.reporting import DistillOutcome, InitOutcome, LearnerOutcome, PoolOutcome
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


def learner_result(
    outcome: LearnerOutcome, cost: Cost, environment: Mapping[str, str]
) -> experiment_pb2.TaskResult:
    """Result of a task that tested learners."""
    return experiment_pb2.TaskResult(
        learners=experiment_pb2.LearnerResult(
            inits=[_init_result(entry) for entry in outcome.inits],
            train_samples=outcome.train_samples,
            gd_steps=outcome.gd_steps,
            chosen_lr=outcome.chosen_lr,
            stored_bytes=outcome.stored_bytes,
        ),
        environment=environment,
        **cost._asdict(),
    )


def distill_result(
    outcome: DistillOutcome,
    artifact: experiment_pb2.Artifact,
    cost: Cost,
    environment: Mapping[str, str],
) -> experiment_pb2.TaskResult:
    """Result of a distillation whose artifact the control plane has stored."""
    return experiment_pb2.TaskResult(
        distill=experiment_pb2.DistillResult(
            artifact=artifact,
            kept_step=outcome.kept_step,
            validation_accuracy=outcome.validation_accuracy,
            outer_steps=outcome.outer_steps,
            steps_per_second=outcome.steps_per_second,
        ),
        environment=environment,
        **cost._asdict(),
    )


def pool_result(
    outcome: PoolOutcome,
    artifact: experiment_pb2.Artifact,
    cost: Cost,
    environment: Mapping[str, str],
) -> experiment_pb2.TaskResult:
    """Result of a pretraining whose learners the control plane has stored."""
    return experiment_pb2.TaskResult(
        pretrain=experiment_pb2.PretrainResult(artifact=artifact, accuracies=outcome.accuracies),
        environment=environment,
        **cost._asdict(),
    )


def _init_result(outcome: InitOutcome) -> experiment_pb2.InitResult:
    return experiment_pb2.InitResult(**outcome._asdict())
