"""The settings of distilled data, from the two messages of a spec that say them."""

from stillhouse_proto.v1 import spec_pb2

from ..context.settings import DistilledSettings
from .enum_names import name_of


def distilled_settings(
    distilled: spec_pb2.DistilledSpec, inner: spec_pb2.InnerSpec
) -> DistilledSettings:
    """Of a spec with every field set."""
    return DistilledSettings(
        per_class=distilled.per_class,
        seq_len=distilled.seq_len,
        x_init=name_of(distilled, "x_init"),
        class_labels=name_of(distilled, "labels"),
        attention_labels=name_of(distilled, "attention_labels"),
        attention_lambda=distilled.attention_lambda,
        attention_reduction=name_of(distilled, "attention_reduction"),
        artifact_dtype=name_of(distilled, "artifact_dtype"),
        num_steps=inner.steps,
        lr=inner.lr,
        lr_decay=inner.lr_decay,
        learn_lr=name_of(inner, "learn_lr"),
        inner_precision=name_of(inner, "precision"),
        samples=distilled.samples,
        sample_classes=_numbers(distilled.sample_classes),
        label_init=name_of(distilled, "label_init"),
        blocks=distilled.blocks,
        rate_form=name_of(inner, "lr_parametrisation"),
        encoder_lr_scale=inner.encoder_lr_scale,
        dropout=inner.dropout,
        attention_loss=name_of(distilled, "attention_loss"),
        hidden_labels=name_of(distilled, "hidden_labels"),
        hidden_loss=name_of(distilled, "hidden_loss"),
        hidden_weight=distilled.hidden_weight,
        learn_hidden_weight=distilled.learn_hidden_weight,
        hidden_init=name_of(distilled, "hidden_init"),
        hidden_schedule=name_of(distilled, "hidden_schedule"),
        attention_init=name_of(distilled, "attention_init"),
        internal_labels=name_of(distilled, "internal_labels"),
    )


def _numbers(text: str) -> tuple[int, ...]:
    """Of a list with commas between them; empty of an empty one."""
    return tuple(int(part) for part in text.split(",") if part)
