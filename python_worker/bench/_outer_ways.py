"""Ways to take a whole outer step: that of Stillhouse and that of published code."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from stillhouse_worker.datasets import TokenSplit, collate, epoch_batches
from stillhouse_worker.distillation.inner import StagedInnerLoss
from stillhouse_worker.distillation.meta_gradient import METHODS, MetaProblem
from stillhouse_worker.distillation.outer_loss import num_parts, outer_losses
from stillhouse_worker.distillation.scaled_optimiser import ScaledOptimiser
from stillhouse_worker.distillation.synthetic import Phi, SyntheticConfig, init_phi, materialise
from stillhouse_worker.learners import draw_head, learner_params
from stillhouse_worker.learners.encoder import Encoder
from stillhouse_worker.learners.encoder_config import Pooling
from stillhouse_worker.learners.interface import Params
from stillhouse_worker.learners.lanes import num_lanes
from stillhouse_worker.learners.precision import Precision
from stillhouse_worker.seeding import generator

from ._shared import Work

NUM_CLASSES = 4
# About the numbers of tokens in AG News: drawn where no data set is given.
MEAN_LENGTH, LENGTH_SPREAD = 50, 14
_LR = 2e-3
_MIB = 2**20

# A scale of the loss, as fp16 needs one: loss -> loss.
Scale = Callable[[Tensor], Tensor]


class Way(NamedTuple):
    """How a step is taken."""

    method: str
    inner: Precision
    outer: Precision
    is_padded_fully: bool
    has_logging_pass: bool
    pooling: Pooling = "first"


class Scene(NamedTuple):
    """What all ways share.

    Attributes:
        encoder: on the device where to compute.
        texts: the real ones.
        config: of the distilled data.
        phi: before the first step.
        head: of every learner.
        batch_size: real texts per step.
        max_length: of a text.
        activation_mib: memory for values of inner steps.
    """

    encoder: Encoder
    texts: TokenSplit
    config: SyntheticConfig
    phi: Phi
    head: Params
    batch_size: int
    max_length: int
    activation_mib: int

    @property
    def device(self) -> torch.device:
        """Where to compute."""
        return next(iter(self.encoder.blocks.values())).device

    def gradients(
        self, way: Way, rows: Tensor, phi: Phi, scale: Scale = lambda loss: loss
    ) -> dict[str, Tensor]:
        """The meta-gradient for the texts ``rows``, times the scale."""
        batch = (tensor.to(self.device) for tensor in collate(self.texts, rows))
        ids, types, mask, labels = batch
        if way.is_padded_fully:
            missing = self.max_length - ids.shape[1]
            ids, types, mask = (F.pad(tensor, (0, missing)) for tensor in (ids, types, mask))
        entry = self.encoder.embed(ids, types)
        sizes = self.encoder.config._replace(pooling=way.pooling)
        encoder = self.encoder._replace(config=sizes)
        parts = 1 if way.method == "unrolled" else num_parts(entry.device, len(labels))
        losses = outer_losses(encoder, entry, mask, labels, way.outer, parts)
        theta = learner_params(self.encoder, self.head)
        problem = MetaProblem(
            lambda phi: materialise(self.config, phi),
            StagedInnerLoss(encoder, 1.0, "keys", way.inner),
            [lambda theta, loss=loss: scale(loss(theta)) for loss in losses],
            activation_bytes=self.activation_mib * _MIB,
            lanes=num_lanes(encoder, entry.device),
        )
        grads = METHODS[way.method](problem, phi, theta).grads
        if way.has_logging_pass:
            with torch.no_grad():
                problem.outer_loss(theta)
        return grads


class Steps:
    """Consecutive outer steps in one way."""

    def __init__(self, scene: Scene, way: Way) -> None:
        self.scene, self.way = scene, way
        self.phi = {name: p.detach().clone().requires_grad_() for name, p in scene.phi.items()}
        self.adam = ScaledOptimiser(self.phi, scene.device, way.outer)
        pool_size = 1 if way.is_padded_fully else 32
        lengths, draws = scene.texts.offsets.diff(), generator(0, "batches")
        batches = epoch_batches(lengths, scene.batch_size, draws, pool_size)
        self.batches = itertools.cycle(batches)

    def step(self) -> None:
        """Batch, embedding, inner steps, meta-gradient, clipping, Adam."""
        rows, scale = next(self.batches), self.adam.scaler.scale
        for name, grad in self.scene.gradients(self.way, rows, self.phi, scale).items():
            self.phi[name].grad = grad
        self.adam.unscale()
        torch.nn.utils.clip_grad_norm_(list(self.phi.values()), 1.0)
        self.adam.update(_LR)


def scene_of(
    encoder: Encoder,
    texts: TokenSplit,
    S: int,
    T: int,
    attention_labels: str,
    batch_size: int,
    max_length: int,
    activation_mib: int = 4096,
) -> Scene:
    """A scene with one distilled sample per class; the same numbers on every device."""
    sizes = encoder.config
    config = SyntheticConfig(
        NUM_CLASSES, 1, S, "unrestricted", attention_labels, T, 0.5, 1.0, "none"
    )
    draws = generator(0, "distilled data")
    x = torch.randn(NUM_CLASSES, S, sizes.width, generator=draws)
    phi = init_phi(config, sizes.num_layers, sizes.num_heads, x, draws)
    head = draw_head(sizes.width, NUM_CLASSES, "default", draws)
    device = next(iter(encoder.blocks.values())).device
    phi = {name: tensor.detach().to(device).requires_grad_() for name, tensor in phi.items()}
    return Scene(encoder, texts, config, phi, head, batch_size, max_length, activation_mib)


def drawn_texts(
    count: int, max_length: int, num_tokens: int = 20_000, mean_length: int = MEAN_LENGTH
) -> TokenSplit:
    """Random tokens in texts about as long as those of AG News, unless told otherwise.

    Args:
        count: texts.
        max_length: of a text, > 5.
        num_tokens: of the vocabulary; the first twentieth of them are not drawn.
        mean_length: of a text before it is cut.
    """
    draws = generator(0, "texts")
    lengths = (mean_length + LENGTH_SPREAD * torch.randn(count, generator=draws)).long()
    offsets = F.pad(lengths.clamp(5, max_length).cumsum(0), (1, 0))
    total = int(offsets[-1])
    first = num_tokens // 20
    return TokenSplit(
        torch.randint(first, num_tokens, (total,), generator=draws, dtype=torch.int32),
        torch.zeros(total, dtype=torch.int32),
        offsets,
        torch.randint(NUM_CLASSES, (count,), generator=draws),
    )


def several(steps: Steps, count: int) -> Work:
    """``count`` steps in a row."""

    def run() -> None:
        for _ in range(count):
            steps.step()

    return run


def cosine(grads: dict[str, Tensor], exact: dict[str, Tensor]) -> float:
    """Cosine of two whole gradients."""
    flat = [torch.cat([g[name].double().flatten() for name in exact]) for g in (grads, exact)]
    return torch.cosine_similarity(*flat, dim=0).item()
