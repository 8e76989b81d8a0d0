"""Protos to the core's types, and exceptions to failures."""

import errno
import json
import math

import pytest

from stillhouse_worker import convert
from stillhouse_worker.context.variation import Variation
from stillhouse_worker.convert.lease import Lease
from stillhouse_worker.distillation.losses import HiddenTerm
from stillhouse_worker.distillation.scaled_optimiser import OptimiserConfig
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.process.outbox import RESEND_AFTER_S, Outbox

RESOLVED = {
    "name": "n",
    "preset": "PRESET_CPU",
    "seed": 3,
    "dataset": {
        "name": "d",
        "source": "SOURCE_LOCAL",
        "data_dir": "/data",
        "fingerprint": "f",
        "substitute_for": "",
        "max_length": 64,
        "validation_fraction": 0.05,
        "bad_rows": "BAD_ROWS_REFUSE",
        "test_fraction": 0.2,
    },
    "model": {
        "name": "m",
        "source": "SOURCE_HUB",
        "fingerprint": "g",
        "substitute_for": "",
        "head_init": "HEAD_INIT_NORMAL",
        "pooling": "POOLING_MEAN",
        "init": "INIT_FIXED",
    },
    "distilled": {
        "per_class": 2,
        "seq_len": 16,
        "x_init": "X_INIT_REAL",
        "labels": "LABELS_UNRESTRICTED",
        "attention_labels": "ATTENTION_LABELS_ALL",
        "attention_lambda": 100,
        "attention_reduction": "ATTENTION_REDUCTION_ELEMENTWISE",
        "artifact_dtype": "FLOAT_TYPE_FP16",
        "samples": 3,
        "sample_classes": "2,0,1",
        "label_init": "LABEL_INIT_CLASS_DISTANCE",
        "blocks": 3,
        "attention_loss": "ATTENTION_LOSS_MUL",
        "hidden_labels": "HIDDEN_LABELS_CLS",
        "hidden_loss": "HIDDEN_LOSS_MSE",
        "hidden_weight": 0.7,
        "learn_hidden_weight": True,
        "hidden_init": "HIDDEN_INIT_NOISE",
        "hidden_schedule": "HIDDEN_SCHEDULE_STACKED",
        "attention_init": "ATTENTION_INIT_SAMPLES",
        "internal_labels": "INTERNAL_LABELS_TEACHER",
    },
    "inner": {
        "steps": 3,
        "lr": 0.02,
        "lr_decay": 0.2,
        "learn_lr": "LEARN_LR_PER_STEP",
        "precision": "FLOAT_TYPE_BF16",
        "passes": 1,
        "lr_parametrisation": "LR_PARAMETRISATION_SOFTPLUS",
        "encoder_lr_scale": 0.3,
        "dropout": 0.2,
    },
    "outer": {
        "epochs": 0,
        "steps": 7,
        "lr": 0.002,
        "batch_size": 48,
        "clip": 1,
        "warmup_fraction": 0.1,
        "accumulate_loss": True,
        "validations": 2,
        "validation_inits": 3,
        "meta_gradient": "stepwise",
        "trajectory_mib": 100,
        "host_trajectory_mib": 200,
        "compile": False,
        "activation_mib": 300,
        "inits_per_step": 2,
        "optimiser": "OUTER_OPTIMISER_ADAMW",
        "beta1": 0.5,
        "beta2": 0.99,
        "weight_decay": 0.1,
        "momentum": 0,
        "lr_schedule": "LR_SCHEDULE_STEP",
        "lr_decay": 0.25,
        "lr_decay_steps": 40,
        "lr_decay_epochs": 0,
        "labels_lr": 0.03,
        "rates_lr": 0.04,
        "labels_weight_decay": 0.2,
        "rates_weight_decay": 0.3,
        "window": 2,
        "augmentation": "AUGMENTATION_CROP_FLIP",
    },
    "evaluation": {"protocol": "PROTOCOL_PAPER", "inits": 5, "baseline_inits": 2},
    "baseline": {
        "full": True,
        "random": False,
        "untrained": True,
        "full_epochs": 3,
        "full_batch_size": 48,
        "full_lr": 2e-5,
        "full_dropout": 0.1,
    },
    "compute": {"device": "cpu", "precision": "FLOAT_TYPE_BF16", "num_devices": 2},
}


def settings():
    return convert.settings_of(convert.spec_from_json(json.dumps(RESOLVED)))


def test_every_value_of_a_spec_reaches_the_core() -> None:
    made = settings()
    assert made.distilled.class_labels == "unrestricted"
    assert made.distilled.attention_labels == "all"
    assert made.distilled.attention_reduction == "elementwise"
    assert made.distilled.attention_loss == "mul"
    assert made.distilled.hidden_labels == "cls"
    assert made.distilled.hidden == HiddenTerm("mse", "stacked", 3)
    assert made.distilled.synthetic(3, 0).learns_hidden_weight
    assert (made.distilled.hidden_weight, made.distilled.hidden_init) == (0.7, "noise")
    assert made.distilled.attention_init == "samples"
    assert made.distilled.internal_labels == "teacher"
    assert made.distilled.synthetic(3, 0).held == {"attention", "hidden"}
    assert made.distilled.learn_lr == "per_step"
    assert made.distilled.lr == 0.02  # a double: not 0.0199999996
    assert made.distilled.x_init == "real"
    assert made.model.fixed_init
    assert made.model.head_init == "normal"
    assert made.model.pooling == "mean"
    assert (made.outer.num_steps, made.outer.accumulate_loss) == (7, True)
    assert made.outer.optimiser == OptimiserConfig("adamw", (0.5, 0.99), 0.1, 0.0)
    assert (made.outer.schedule, made.outer.lr_decay, made.outer.lr_decay_steps) == (
        "step",
        0.25,
        40,
    )
    assert [made.outer.peak(name) for name in ("x", "labels", "log_lr")] == [0.002, 0.03, 0.04]
    tensors = ("x", "labels", "attention", "log_lr")
    assert made.outer.optimiser_of(tensors).weight_decay == [0.1, 0.2, 0.1, 0.3]
    assert (made.distilled.samples, made.distilled.sample_classes) == (3, (2, 0, 1))
    assert (made.distilled.label_init, made.distilled.blocks) == ("class_distance", 3)
    assert made.outer.augmentation == "crop_flip"
    assert (made.distilled.rate_form, made.outer.window) == ("softplus", 2)
    assert (made.distilled.encoder_lr_scale, made.distilled.dropout) == (0.3, 0.2)
    assert not made.select
    assert made.precision == "bf16"
    assert made.seed == 3
    assert convert.spec_document(convert.spec_from_json(json.dumps(RESOLVED))) == RESOLVED


def test_a_clip_of_0_is_none() -> None:
    document = {**RESOLVED, "outer": {**RESOLVED["outer"], "clip": 0}}
    spec = convert.spec_from_json(json.dumps(document))
    assert convert.settings_of(spec).outer.clip == math.inf


@pytest.mark.parametrize(
    "field", ["seed", "inner.lr", "distilled.labels", "dataset.bad_rows", "outer"]
)
def test_a_spec_with_an_unset_field_is_refused_by_the_fields_name(field: str) -> None:
    document = json.loads(json.dumps(RESOLVED))
    *path, last = field.split(".")
    owner = document
    for part in path:
        owner = owner[part]
    del owner[last]
    with pytest.raises(StillhouseError, match="has no value") as caught:
        convert.settings_of(convert.spec_from_json(json.dumps(document)))
    assert caught.value.field == field


def variation_of(document: dict):
    from google.protobuf import json_format

    from stillhouse_proto.v1 import experiment_pb2

    work = json_format.ParseDict(document, experiment_pb2.EvaluateWork())
    return convert.variation_of(work)


def test_a_variation_reaches_the_core_and_is_none_where_it_is_not_set() -> None:
    assert variation_of({"init_seeds": [1]}) is None
    assert variation_of({"variation": {"name": "x"}}) == Variation()
    assert variation_of(
        {
            "variation": {
                "steps": 3,
                "optimiser": "OPTIMISER_ADAM",
                "batch_size": 2,
                "shuffled": True,
                "head_init": "HEAD_INIT_NORMAL",
                "without_attention_labels": True,
                "without_hidden_labels": True,
                "hard_labels": True,
                "samples": "SAMPLE_SOURCE_KCENTER",
                "searches_lr": True,
                "transfer_to": {"name": "m", "fingerprint": "f"},
            }
        }
    ) == Variation(3, "adam", 2, True, "normal", True, True, "kcenter", True, "m", "f", True)


def test_a_spec_from_before_coresets_is_accepted() -> None:
    document = {**RESOLVED, "baseline": {**RESOLVED["baseline"], "herding": True}}
    assert convert.settings_of(convert.spec_from_json(json.dumps(document))).seed == 3


def test_an_unknown_field_is_an_error() -> None:
    with pytest.raises(StillhouseError, match="sedd"):
        convert.spec_from_json('{"sedd": 1}')


@pytest.mark.parametrize(
    ("error", "kind", "has_traceback"),
    [
        (StillhouseError("invalid", "no", field="inner.lr"), 1, False),
        (StillhouseError("diverged", "no"), 4, False),
        (OSError(errno.ENOSPC, "No space left on device"), 5, False),
        (MemoryError(), 5, False),
        (ZeroDivisionError("x"), 9, True),
    ],
)
def test_an_exception_becomes_a_failure_with_its_kind(error, kind, has_traceback) -> None:
    failure = convert.failure_of(error)
    assert failure.kind == kind
    assert bool(failure.traceback) == has_traceback
    assert failure.message


def reports(frames: list[bytes]) -> list:
    from stillhouse_proto.v1 import worker_pb2

    return [worker_pb2.WorkerMessage.FromString(frame).report for frame in frames]


def test_outbox_numbers_reports_and_keeps_points_before_what_follows() -> None:
    outbox = Outbox(Lease("t", 2, b"secret"))
    outbox.metric("loss", 1, 0.5)
    outbox.metric("loss", 2, 0.25)
    outbox.log("info", "hello")
    outbox.metric("loss", 3, 0.125)
    first, second, third = reports(outbox.take(0.0))
    assert [r.number for r in (first, second, third)] == [1, 2, 3]
    assert [p.sequence for p in first.metrics.points] == [1, 2]
    assert [p.sequence for p in third.metrics.points] == [3]
    assert second.log.message == "hello"
    assert {(r.task_id, r.attempt, r.secret) for r in (first, second, third)} == {
        ("t", 2, b"secret")
    }


def test_outbox_sends_unacknowledged_reports_again() -> None:
    outbox = Outbox(Lease("t", 1, b"secret"))
    outbox.log("info", "one")
    outbox.log("info", "two")
    assert len(outbox.take(0.0)) == 2
    assert outbox.take(RESEND_AFTER_S / 2) == []
    outbox.acknowledge(1)
    (again,) = reports(outbox.take(RESEND_AFTER_S * 1.5))
    assert again.number == 2
    assert not outbox.is_empty()
    outbox.acknowledge(2)
    assert outbox.is_empty()
    assert outbox.take(RESEND_AFTER_S * 9) == []


def test_outbox_sends_only_the_latest_progress() -> None:
    outbox = Outbox(Lease("t", 1, b"secret"))
    for done in range(5):
        outbox.progress("distilling", done, 10, {"loss": 1.0})
    (only,) = reports(outbox.take(0.0))
    assert (only.number, only.progress.done, only.progress.total) == (0, 4, 10)
    assert outbox.progress_counter == 5
    assert outbox.is_empty()
