"""A task as it was assigned, and the settings of its spec."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from google.protobuf import json_format

from stillhouse_proto.v1 import experiment_pb2, spec_pb2, worker_pb2

from ..context.settings import (
    DataSettings,
    EmbeddingSettings,
    FullSettings,
    ModelSettings,
    ObjectiveSettings,
    PoolSettings,
    ReplayMethod,
    Settings,
)
from ..context.variation import Variation
from ..datasets import Reading
from ..distillation.outer import OuterConfig
from ..distillation.scaled_optimiser import OptimiserConfig
from ..errors import StillhouseError
from .distilled import distilled_settings
from .enum_names import name_of
from .replay import replay_settings, settings_of_part
from .resolved import require_all


class PoolPart(NamedTuple):
    """Pretrained learners of an artifact, and where the control plane has it."""

    artifact_id: str
    path: str


class TaskRequest(NamedTuple):
    """A task as it was assigned.

    Attributes:
        task_id, attempt: the lease; every report carries both.
        work: "pretrain", "teach", "distill", "evaluate", "replay", or the name of a baseline.
        init_seeds: of the test learners; empty for "distill".
        members: of the pool, which "pretrain" trains.
        settings, spec: of the experiment, in the core's types and as the manifest keeps it.
        work_dir: the task's own folder for checkpoints.
        artifact_path: where the control plane has the artifact to evaluate; empty otherwise.
        artifact_id: of that artifact.
        variation: how its learners are trained otherwise than it says; None: as it says.
        pool: the pretrained learners that its learners start from.
        method: of continual learning: what "replay" remembers.
        memories: the distilled memories of its tasks, in their order.
    """

    task_id: str
    attempt: int
    work: str
    init_seeds: list[int]
    members: list[int]
    settings: Settings
    spec: dict[str, Any]
    work_dir: str
    artifact_path: str
    artifact_id: str
    variation: Variation | None
    pool: list[PoolPart]
    method: ReplayMethod
    memories: list[PoolPart]


def task_request(assign: worker_pb2.Assign) -> TaskRequest:
    """The task of an assignment.

    Raises:
        StillhouseError: ``invalid`` when the spec is not resolved.
    """
    kind = assign.work.WhichOneof("kind")
    work = name_of(assign.work.baseline, "kind") if kind == "baseline" else str(kind)
    if assign.work.pretrain.teacher:
        work = "teach"
    of_learners = kind in ("baseline", "pretrain", "evaluate", "replay")
    init_seeds = getattr(assign.work, str(kind)).init_seeds if of_learners else ()
    settings = settings_of_part(settings_of(assign.spec), assign.work)
    return TaskRequest(
        assign.task_id,
        assign.attempt,
        work,
        list(init_seeds),
        list(assign.work.pretrain.members),
        _with_rate(settings, assign.work.baseline.lr),
        spec_document(assign.spec),
        assign.work_dir,
        assign.artifact_path,
        assign.work.evaluate.artifact_id if kind == "evaluate" else "",
        variation_of(assign.work.evaluate),
        _parts(assign.pool),
        name_of(assign.work.replay, "method") if kind == "replay" else "naive",
        _parts(assign.memories),
    )


def _parts(messages: Iterable[worker_pb2.PoolPart]) -> list[PoolPart]:
    return [PoolPart(part.artifact_id, part.path) for part in messages]


def variation_of(work: experiment_pb2.EvaluateWork) -> Variation | None:
    """How the learners of an evaluation are trained otherwise; None: as the artifact says."""
    if not work.HasField("variation"):
        return None
    message, default = work.variation, Variation()
    chosen = {field: name_of(message, field) for field in ("optimiser", "head_init", "samples")}
    given = {field: name for field, name in chosen.items() if name != "unspecified"}
    return default._replace(
        **given,
        steps=message.steps,
        batch_size=message.batch_size,
        shuffled=message.shuffled,
        without_attention_labels=message.without_attention_labels,
        without_hidden_labels=message.without_hidden_labels,
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


def _with_rate(settings: Settings, lr: float) -> Settings:
    """With the rate that another task has found for full data; 0: as they are."""
    return settings._replace(full=settings.full._replace(lr=lr)) if lr else settings


def settings_of(spec: spec_pb2.ExperimentSpec) -> Settings:
    """A resolved spec in the core's types.

    Raises:
        StillhouseError: ``invalid`` with the first field that has no value.
    """
    require_all(spec)
    baseline, outer, compute = spec.baseline, spec.outer, spec.compute
    return Settings(
        data=_data(spec.dataset),
        model=_model(spec.model),
        distilled=distilled_settings(spec.distilled, spec.inner),
        outer=_outer(outer),
        full=FullSettings(
            baseline.full_epochs,
            baseline.full_batch_size,
            baseline.full_lr,
            baseline.full_dropout,
        ),
        validations=outer.validations,
        validation_inits=outer.validation_inits,
        select=name_of(spec.evaluation, "protocol") == "validation",
        device=compute.device,
        num_devices=compute.num_devices,
        precision=name_of(compute, "precision"),
        seed=spec.seed,
        pool=_pool(spec) if name_of(spec.model, "init") == "pool" else None,
        objective=_objective(spec),
        replay=replay_settings(spec.replay) if spec.HasField("replay") else None,
    )


def _data(data: spec_pb2.DatasetSpec) -> DataSettings:
    return DataSettings(
        data.name,
        name_of(data, "source"),
        data.data_dir,
        data.fingerprint,
        data.max_length,
        _reading(data),
    )


def _model(model: spec_pb2.ModelSpec) -> ModelSettings:
    return ModelSettings(
        model.name,
        name_of(model, "source"),
        model.fingerprint,
        name_of(model, "head_init"),
        name_of(model, "init") == "fixed",
        "mean" if name_of(model, "pooling") == "mean" else "first",
        _embeddings(model) if model.embeddings else None,
    )


def _embeddings(model: spec_pb2.ModelSpec) -> EmbeddingSettings:
    found = model.embeddings_found
    path = found.path if name_of(found, "source") == "local" else ""
    return EmbeddingSettings(model.embeddings, path, found.fingerprint)


def _pool(spec: spec_pb2.ExperimentSpec) -> PoolSettings:
    pool = spec.pool
    return PoolSettings(pool.size, pool.epochs, pool.batch_size, pool.lr, pool.lr_halving_epochs)


def _objective(spec: spec_pb2.ExperimentSpec) -> ObjectiveSettings:
    objective, kind = spec.objective, name_of(spec.objective, "kind")
    if kind == "adapt":
        # It is read as the target is, with columns of its own.
        target = _data(spec.dataset)
        image = spec.dataset.found.image
        source = DataSettings(
            objective.source_name,
            name_of(objective, "source"),
            objective.source_dir,
            objective.source_fingerprint,
            target.max_length,
            target.reading._replace(texts=(), label=""),
            (image.channels, image.height, image.width) if image.channels else None,
        )
        return ObjectiveSettings("adapt", source)
    if kind == "attack":
        classes = (objective.attack_class, objective.target_class)
        return ObjectiveSettings("attack", None, *classes)
    return ObjectiveSettings()


def _outer(outer: spec_pb2.OuterSpec) -> OuterConfig:
    return OuterConfig(
        num_steps=outer.steps,
        lr=outer.lr,
        batch_size=outer.batch_size,
        clip=outer.clip or math.inf,
        warmup_fraction=outer.warmup_fraction,
        accumulate_loss=outer.accumulate_loss,
        method=outer.meta_gradient,
        trajectory_bytes=outer.trajectory_mib * 2**20,
        host_bytes=outer.host_trajectory_mib * 2**20,
        activation_bytes=outer.activation_mib * 2**20,
        compiled=outer.compile,
        inits_per_step=outer.inits_per_step,
        optimiser=OptimiserConfig(
            name_of(outer, "optimiser"),
            (outer.beta1, outer.beta2),
            outer.weight_decay,
            outer.momentum,
        ),
        schedule=name_of(outer, "lr_schedule"),
        lr_decay=outer.lr_decay,
        lr_decay_steps=outer.lr_decay_steps,
        labels_lr=outer.labels_lr,
        rates_lr=outer.rates_lr,
        labels_weight_decay=outer.labels_weight_decay,
        rates_weight_decay=outer.rates_weight_decay,
        window=outer.window,
        augmentation=name_of(outer, "augmentation"),
    )


def spec_document(spec: spec_pb2.ExperimentSpec) -> dict[str, Any]:
    """A spec as proto3 JSON with the proto's field names."""
    return json_format.MessageToDict(spec, preserving_proto_field_name=True)


def _reading(data: spec_pb2.DatasetSpec) -> Reading:
    return Reading(
        data.validation_fraction,
        data.test_fraction,
        name_of(data, "bad_rows"),
        tuple(data.text_column.split(",")) if data.text_column else (),
        data.label_column,
    )
