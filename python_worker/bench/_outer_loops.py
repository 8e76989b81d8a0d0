"""The worker's own outer loop over drawn or given texts, without a task around it."""

from typing import NamedTuple

import torch

from stillhouse_worker.datasets import TokenSplit
from stillhouse_worker.distillation.inner import StagedInnerLoss
from stillhouse_worker.distillation.losses import AttentionReduction
from stillhouse_worker.distillation.outer import OuterConfig, OuterLoop, OuterProblem
from stillhouse_worker.distillation.synthetic import (
    AttentionKind,
    ClassLabelKind,
    SyntheticConfig,
    init_phi,
)
from stillhouse_worker.learners.encoder import Encoder
from stillhouse_worker.learners.precision import Precision
from stillhouse_worker.learners.starts import Starts
from stillhouse_worker.seeding import generator

_MIB = 2**20


class LoopSettings(NamedTuple):
    """The settings of an outer loop; what is not said is that of the preset `study`."""

    S: int
    batch_size: int
    num_steps: int
    method: str = "blockwise"
    T: int = 1
    num_classes: int = 4
    class_labels: ClassLabelKind = "unrestricted"
    attention_labels: AttentionKind = "cls"
    attention_lambda: float = 100.0
    attention_reduction: AttentionReduction = "elementwise"
    inner_lr: float = 0.5
    inner: Precision = "fp32"
    outer: Precision = "fp32"
    trajectory_mib: int = 2048
    host_mib: int = 16_384
    activation_mib: int = 4096


def inner_loss_of(
    encoder: Encoder, settings: LoopSettings, precision: Precision
) -> StagedInnerLoss:
    """What learners are trained with."""
    weight, reduction = settings.attention_lambda, settings.attention_reduction
    return StagedInnerLoss(encoder, weight, reduction, precision)


def starts_of(encoder: Encoder, settings: LoopSettings) -> Starts:
    """Learners with heads drawn by seed 0."""
    return Starts(encoder, settings.num_classes, 0, "default", False)


def outer_loop(encoder: Encoder, texts: TokenSplit, settings: LoopSettings) -> OuterLoop:
    """The loop at its first step, on the encoder's device; the same numbers on every device."""
    synthetic = SyntheticConfig(
        settings.num_classes,
        1,
        settings.S,
        settings.class_labels,
        settings.attention_labels,
        settings.T,
        settings.inner_lr,
        1.0,
        "none",
    )
    problem = OuterProblem(
        synthetic,
        inner_loss_of(encoder, settings, settings.inner),
        encoder,
        texts,
        starts_of(encoder, settings),
        settings.outer,
        0,
        next(iter(encoder.blocks.values())).device,
    )
    config = OuterConfig(
        num_steps=settings.num_steps,
        lr=2e-3,
        batch_size=settings.batch_size,
        clip=1.0,
        warmup_fraction=0.1,
        accumulate_loss=False,
        method=settings.method,
        trajectory_bytes=settings.trajectory_mib * _MIB,
        host_bytes=settings.host_mib * _MIB,
        activation_bytes=settings.activation_mib * _MIB,
        compiled=False,
        inits_per_step=1,
    )
    sizes, draws = encoder.config, generator(0, "distilled data")
    x = torch.randn(settings.num_classes, settings.S, sizes.width, generator=draws)
    phi = init_phi(synthetic, sizes.num_layers, sizes.num_heads, x, draws)
    return OuterLoop(config, problem, phi)
