"""Protos to the core's types and back: the only file that imports generated code."""

import errno
import json
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

from stillhouse.v1 import (
    experiment_pb2,
    failure_pb2,
    service_pb2,
    service_pb2_grpc,
    spec_pb2,
    worker_pb2,
)

from .device_load import UNKNOWN, DeviceLoad
from .distillation.outer import OuterConfig
from .errors import StillhouseError
from .tasks.reporting import DistillOutcome, InitOutcome, LearnerOutcome
from .tasks.settings import (
    DataSettings,
    DistilledSettings,
    FullSettings,
    ModelSettings,
    Settings,
)
from .tasks.variation import Variation

ArtifactStub = service_pb2_grpc.ArtifactServiceStub
UPLOAD_CHUNK_BYTES = 1 << 20


class TaskRequest(NamedTuple):
    """A task as it was assigned.

    Attributes:
        task_id, attempt: the lease; every report carries both.
        work: "distill", "evaluate", or the name of a baseline.
        init_seeds: of the test learners; empty for "distill".
        work_dir: the task's own folder for checkpoints.
        artifact_path: where the control plane has the artifact to evaluate; empty otherwise.
        artifact_id: of that artifact.
        variation: how its learners are trained otherwise than it says; None: as it says.
    """

    task_id: str
    attempt: int
    work: str
    init_seeds: list[int]
    settings: Settings
    work_dir: str
    artifact_path: str
    artifact_id: str
    variation: Variation | None


def task_request(assign: worker_pb2.Assign) -> TaskRequest:
    """The task of an assignment.

    Raises:
        StillhouseError: ``invalid`` when the spec is not resolved.
    """
    kind = assign.work.WhichOneof("kind")
    if kind == "baseline":
        work, init_seeds = (
            _name(assign.work.baseline, "kind"),
            assign.work.baseline.init_seeds,
        )
    else:
        work, init_seeds = str(kind), assign.work.evaluate.init_seeds
    return TaskRequest(
        assign.task_id,
        assign.attempt,
        work,
        list(init_seeds),
        settings_of(assign.spec),
        assign.work_dir,
        assign.artifact_path,
        assign.work.evaluate.artifact_id if kind == "evaluate" else "",
        variation_of(assign.work.evaluate),
    )


def variation_of(work: experiment_pb2.EvaluateWork) -> Variation | None:
    """How the learners of an evaluation are trained otherwise; None: as the artifact says."""
    if not work.HasField("variation"):
        return None
    message, default = work.variation, Variation()
    chosen = {field: _name(message, field) for field in ("optimiser", "head_init", "samples")}
    given = {field: name for field, name in chosen.items() if name != "unspecified"}
    return default._replace(
        **given,
        steps=message.steps,
        batch_size=message.batch_size,
        shuffled=message.shuffled,
        without_attention_labels=message.without_attention_labels,
        hard_labels=message.hard_labels,
        searches_lr=message.searches_lr,
        model=message.transfer_to.name,
        model_fingerprint=message.transfer_to.fingerprint,
    )


def spec_from_json(text: str) -> spec_pb2.ExperimentSpec:
    """A resolved spec in proto3 JSON; unknown fields are errors.

    Raises:
        StillhouseError: ``invalid``.
    """
    try:
        return json_format.Parse(text, spec_pb2.ExperimentSpec())
    except json_format.ParseError as error:
        raise StillhouseError("invalid", f"the spec cannot be read: {error}") from error


def settings_of(spec: spec_pb2.ExperimentSpec) -> Settings:
    """A resolved spec in the core's types.

    Raises:
        StillhouseError: ``invalid`` with the first field that has no value.
    """
    _require_all(spec, "")
    data, model, distilled, inner = spec.dataset, spec.model, spec.distilled, spec.inner
    outer, baseline = spec.outer, spec.baseline
    return Settings(
        data=DataSettings(
            data.name,
            _name(data, "source"),
            data.data_dir,
            data.fingerprint,
            data.max_length,
            data.validation_fraction,
        ),
        model=ModelSettings(
            model.name,
            _name(model, "source"),
            model.fingerprint,
            _name(model, "head_init"),
            _name(model, "init") == "fixed",
        ),
        distilled=DistilledSettings(
            per_class=distilled.per_class,
            seq_len=distilled.seq_len,
            x_init=_name(distilled, "x_init"),
            labels=_name(distilled, "labels"),
            attention_labels=_name(distilled, "attention_labels"),
            attention_lambda=distilled.attention_lambda,
            attention_reduction=_name(distilled, "attention_reduction"),
            artifact_dtype=_name(distilled, "artifact_dtype"),
            num_steps=inner.steps,
            lr=inner.lr,
            lr_decay=inner.lr_decay,
            learn_lr=_name(inner, "learn_lr"),
            inner_precision=_name(inner, "precision"),
        ),
        outer=OuterConfig(
            num_steps=outer.steps,
            lr=outer.lr,
            batch_size=outer.batch_size,
            clip=outer.clip,
            warmup_fraction=outer.warmup_fraction,
            accumulate_loss=outer.accumulate_loss,
            method=outer.meta_gradient,
            trajectory_bytes=outer.trajectory_mib * 2**20,
            host_bytes=outer.host_trajectory_mib * 2**20,
            activation_bytes=outer.activation_mib * 2**20,
            compiled=outer.compile,
            precision=_name(spec.compute, "precision"),
            inits_per_step=outer.inits_per_step,
            head_init=_name(model, "head_init"),
            fixed_init=_name(model, "init") == "fixed",
            seed=spec.seed,
        ),
        full=FullSettings(
            baseline.full_epochs,
            baseline.full_batch_size,
            baseline.full_lr,
            baseline.full_dropout,
            outer.warmup_fraction,
        ),
        validations=outer.validations,
        validation_inits=outer.validation_inits,
        select=_name(spec.evaluation, "protocol") == "validation",
        device=spec.compute.device,
        num_devices=spec.compute.num_devices,
        precision=_name(spec.compute, "precision"),
        seed=spec.seed,
        spec=json_format.MessageToDict(spec, preserving_proto_field_name=True),
    )


def _name(message: Any, field: str) -> Any:
    """Value of an enum field as the core calls it: LABELS_HARD of ``labels`` is "hard"."""
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return enum.values_by_number[getattr(message, field)].name.removeprefix(prefix).lower()


# Fields that the plan alone reads, so that a spec of before they existed is as good.
_MAY_BE_UNSET = ("robustness", "baseline.herding", "baseline.kcenter")


def _require_all(message: Any, path: str) -> None:
    for field in message.DESCRIPTOR.fields:
        name = f"{path}{field.name}"
        if name in _MAY_BE_UNSET:
            continue
        if field.enum_type is not None:
            missing = getattr(message, field.name) == 0
        else:
            missing = not message.HasField(field.name)
        if missing:
            raise StillhouseError(
                "invalid", f"{name} has no value: the spec is not resolved", field=name
            )
        if field.message_type is not None:
            _require_all(getattr(message, field.name), f"{name}.")


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


def learner_result(
    outcome: LearnerOutcome, wall_time_s: float, environment: Mapping[str, str]
) -> experiment_pb2.TaskResult:
    """Result of a task that tested learners."""
    return experiment_pb2.TaskResult(
        learners=experiment_pb2.LearnerResult(
            inits=[_init_result(entry) for entry in outcome.inits],
            train_samples=outcome.train_samples,
            gd_steps=outcome.gd_steps,
            chosen_lr=outcome.chosen_lr,
        ),
        wall_time_s=wall_time_s,
        environment=environment,
    )


def distill_result(
    outcome: DistillOutcome, artifact: Any, wall_time_s: float, environment: Mapping[str, str]
) -> experiment_pb2.TaskResult:
    """Result of a distillation whose artifact the control plane has taken in."""
    return experiment_pb2.TaskResult(
        distill=experiment_pb2.DistillResult(
            artifact=artifact,
            kept_step=outcome.kept_step,
            validation_accuracy=outcome.validation_accuracy,
            outer_steps=outcome.outer_steps,
            steps_per_second=outcome.steps_per_second,
        ),
        wall_time_s=wall_time_s,
        environment=environment,
    )


def _init_result(outcome: InitOutcome) -> experiment_pb2.InitResult:
    return experiment_pb2.InitResult(**outcome._asdict())


def result_json(result: experiment_pb2.TaskResult) -> str:
    """A result for a person's eyes."""
    return json_format.MessageToJson(result, preserving_proto_field_name=True)


def hello(
    worker_id: str,
    device: str,
    pid: int,
    host: str,
    environment: Mapping[str, str],
    *,
    lease: tuple[str, int] = ("", 0),
    acknowledged: int = 0,
    load: DeviceLoad = UNKNOWN,
) -> bytes:
    """The first frame of a worker, and of each of its returns.

    Args:
        lease: task and attempt that it has in hand.
        acknowledged: number of the last report of it that was acknowledged.
        load: of the device, for the memory that tasks find there.
    """
    return worker_pb2.WorkerMessage(
        hello=worker_pb2.Hello(
            worker_id=worker_id,
            device=device,
            device_name=environment["device_name"],
            pid=pid,
            host=host,
            versions=environment,
            task_id=lease[0],
            attempt=lease[1],
            acknowledged=acknowledged,
            memory_total_bytes=load.memory_total_bytes,
            memory_used_bytes=load.memory_used_bytes,
        )
    ).SerializeToString()


def goodbye() -> bytes:
    """The last frame of a worker."""
    return worker_pb2.WorkerMessage(goodbye=worker_pb2.Goodbye()).SerializeToString()


def heartbeat(task_id: str, attempt: int, progress_counter: int, load: DeviceLoad) -> bytes:
    """A sign of life, with how the device is doing."""
    return worker_pb2.WorkerMessage(
        heartbeat=worker_pb2.Heartbeat(
            task_id=task_id,
            attempt=attempt,
            progress_counter=progress_counter,
            **load._asdict(),
        )
    ).SerializeToString()


def report(task_id: str, attempt: int, number: int, **kind: Any) -> bytes:
    """A frame about a task; ``kind`` is one of TaskReport's."""
    return worker_pb2.WorkerMessage(
        report=worker_pb2.TaskReport(task_id=task_id, attempt=attempt, number=number, **kind)
    ).SerializeToString()


def stopped() -> worker_pb2.Stopped:
    """It stopped after a checkpoint."""
    return worker_pb2.Stopped(time=now())


def progress(
    stage: str, done: int, total: int, per_second: float, values: Mapping[str, float]
) -> experiment_pb2.Progress:
    """How far a task is; the time left follows from the rate."""
    return experiment_pb2.Progress(
        stage=stage,
        done=done,
        total=total,
        per_second=per_second,
        seconds_left=(total - done) / per_second if per_second else 0.0,
        values=values,
    )


def metrics(points: Sequence[tuple[str, int, float]], first_sequence: int) -> Any:
    """Metric points, numbered from ``first_sequence``."""
    stamp = now()
    return experiment_pb2.MetricPoints(
        points=[
            experiment_pb2.MetricPoint(
                sequence=number, name=name, step=step, value=value, time=stamp
            )
            for number, (name, step, value) in enumerate(points, first_sequence)
        ]
    )


def log_line(level: str, message: str) -> experiment_pb2.LogLine:
    """A log line; ``level`` is debug, info, warning or error."""
    value = experiment_pb2.LogLevel.Value(f"LOG_LEVEL_{level.upper()}")
    return experiment_pb2.LogLine(level=value, message=message, time=now())


def control_message(frame: bytes) -> worker_pb2.ControlMessage:
    """What the control plane says."""
    return worker_pb2.ControlMessage.FromString(frame)


def upload_requests(task_id: str, attempt: int, files: Sequence[tuple[str, str, bytes]]) -> Any:
    """Requests that hand in ``files`` of (name, sha256, content)."""
    header = service_pb2.UploadHeader(
        task_id=task_id,
        attempt=attempt,
        files=[
            experiment_pb2.ArtifactFile(name=name, size=len(content), sha256=sha256)
            for name, sha256, content in files
        ],
    )
    yield service_pb2.UploadArtifactRequest(header=header)
    for _, _, content in files:
        for start in range(0, len(content), UPLOAD_CHUNK_BYTES):
            chunk = content[start : start + UPLOAD_CHUNK_BYTES]
            yield service_pb2.UploadArtifactRequest(chunk=chunk)


def download_request(artifact_id: str, file_name: str) -> Any:
    """Asks for a file of an artifact, from its first byte to its last."""
    return service_pb2.DownloadArtifactRequest(artifact_id=artifact_id, file_name=file_name)


def json_of(message: Any) -> dict[str, Any]:
    """A message as proto3 JSON with the proto's field names."""
    return json.loads(json_format.MessageToJson(message, preserving_proto_field_name=True))


def now() -> Timestamp:
    """The present time."""
    stamp = Timestamp()
    stamp.FromNanoseconds(time.time_ns())
    return stamp
