"""Test learners whose training differs from what the distilled data says."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..context.bench import Bench
from ..context.variation import Variation
from ..datasets import collate
from ..distillation.adam import Adam
from ..distillation.inner import InnerLoss, inner_gradient, sgd
from ..distillation.losses import LOG_ZERO
from ..distillation.synthetic import AttentionLabels, DistilledData, one_hot
from ..errors import StillhouseError
from ..learners import Learner
from ..learners.encoder import Encoder
from ..learners.encoder_config import EncoderConfig
from ..learners.interface import Params
from ..learners.nearest_tokens import nearest_tokens
from ..seeding import generator


class Training(NamedTuple):
    """The training samples of a learner.

    Attributes:
        data: as `DistilledData`; real samples are padded to the longest.
        mask: M x S, True where there is a vector; None where all samples have S.
    """

    data: DistilledData
    mask: Bool[Tensor, "m s"] | None = None

    def rows(self, rows: Tensor) -> "Training":
        """Only these samples."""
        return Training(self.data.rows(rows), None if self.mask is None else self.mask[rows])


def labelled(
    variation: Variation, data: DistilledData, classes: Sequence[int] = ()
) -> DistilledData:
    """The distilled data with the labels and the number of rates of the variation.

    Args:
        variation: how learners are trained.
        data: as it was distilled.
        classes: of the samples, for hard labels.
    """
    attention = None if variation.without_attention_labels else data.attention_labels
    hidden = None if variation.without_hidden_labels else data.hidden_labels
    labels = data.class_labels
    if variation.hard_labels:
        labels = one_hot(labels.shape[1], classes).to(labels)
    count = variation.steps or len(data.lrs)
    lrs = data.lrs.repeat(count)[:count]
    return data._replace(
        class_labels=labels,
        attention_labels=attention,
        hidden_labels=hidden,
        lrs=lrs,
    )


def check_fit(variation: Variation, data: DistilledData, learner: Learner) -> None:
    """Raise ``invalid`` where a learner cannot be trained on ``data``, as it is labelled."""
    if isinstance(learner, Encoder):
        check_fit_of_encoder(variation, data, learner.config)
        return
    shape, own = tuple(data.x.shape[1:]), learner.entry_shape(1)
    if shape != own:
        raise _unfit(variation, f"its images are {_written(own)}, not {_written(shape)}")


def _written(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def check_fit_of_encoder(variation: Variation, data: DistilledData, config: EncoderConfig) -> None:
    """The same for an encoder with this configuration."""
    if data.x.shape[-1] != config.entry_width:
        raise _unfit(variation, f"its width is {config.entry_width}, not {data.x.shape[-1]}")
    if data.x.shape[1] > config.max_positions:
        raise _unfit(variation, f"it has {config.max_positions} positions, not {data.x.shape[1]}")
    own = (config.num_layers, config.width)
    if data.hidden_labels is not None and data.hidden_labels.states.shape[1:] != own:
        layers, width = data.hidden_labels.states.shape[1:]
        raise _unfit(variation, f"the hidden labels are for {layers} layers of width {width}")
    if data.attention_labels is None:
        return
    layers, heads = sizes = data.attention_labels.log_probabilities.shape[1:3]
    if sizes != (config.num_layers, config.num_heads):
        why = f"the attention labels are for {layers} layers and {heads} heads"
        raise _unfit(variation, why)


def _unfit(variation: Variation, why: str) -> StillhouseError:
    return StillhouseError(
        "invalid",
        f"the distilled data does not fit {variation.model or 'the model'}: {why}",
        field="robustness.transfer_to",
    )


def decoded(encoder: Encoder, x: Float[Tensor, "m s e"]) -> Float[Tensor, "m s e"]:
    """The nearest tokens of distilled vectors, embedded as a real text is."""
    ids = nearest_tokens(encoder, x, 1).ids[..., 0]
    return encoder.embed(ids, torch.zeros_like(ids))


def with_real_samples(data: DistilledData, bench: Bench, rows: Tensor) -> Training:
    """Real texts or images instead of the distilled ones, with the same labels.

    A text is cut to S tokens, and attention labels to its length, normalised over it.

    Args:
        data: with the labels to train on.
        bench: with the training split.
        rows: a row of train for each distilled sample, of the same class.

    Raises:
        StillhouseError: ``invalid`` when a class has too few rows.
    """
    if len(rows) != len(data.x):
        raise StillhouseError(
            "invalid",
            f"{len(data.x)} real samples are needed, but a class has too few rows for that",
            field="distilled.per_class",
        )
    batch = collate(bench.splits["train"], rows).to(bench.device)
    if batch.mask is None:
        return Training(data._replace(x=bench.learner.embed(*batch.inputs)))
    cut = slice(0, data.x.shape[1])
    mask = batch.mask[:, cut]
    attention = data.attention_labels and _within(data.attention_labels, mask)
    x = bench.learner.embed(*(part[:, cut] for part in batch.inputs))
    return Training(data._replace(x=x, attention_labels=attention), mask)


def _within(labels: AttentionLabels, mask: Bool[Tensor, "m s"]) -> AttentionLabels:
    """Attention labels of texts that are as long as the mask says."""
    length = mask.shape[1]
    keys, queries = mask[:, None, None, None, :], mask[:, None, None, :, None]
    given = labels.log_probabilities[..., :length, :length]
    within = given.masked_fill(~keys, LOG_ZERO).log_softmax(-1)
    spoken_of = keys & queries[..., : given.shape[-2], :]
    return AttentionLabels(labels.kind, within.masked_fill(~spoken_of, LOG_ZERO))


def train_varied(
    variation: Variation, loss: InnerLoss, training: Training, theta: Params, init_seed: int
) -> Params:
    """The learner after all gradient steps, in fp32; first order, no graph kept."""
    hidden = loss.hidden._replace(num_steps=variation.num_gd_steps(training.data))
    loss = dataclasses.replace(loss.of_learner(init_seed, "test"), hidden=hidden)
    num_steps = 0
    optimiser = _Adam(theta) if variation.optimiser == "adam" else None
    for index, lr in enumerate(training.data.lrs.tolist()):
        size = len(training.data.x) // training.data.num_blocks
        first = index % training.data.num_blocks * size
        for rows in _batches(variation, size, init_seed, index):
            part = training.rows(first + rows)
            own_loss = dataclasses.replace(loss.of_step(num_steps), mask=part.mask)
            num_steps += 1
            _, grads = inner_gradient(own_loss, part.data, theta)
            if optimiser is None:
                with torch.no_grad():
                    theta = sgd(theta, grads, lr, training.data.encoder_lr_scale)
            else:
                theta = optimiser.step(grads, lr)
    return theta


def _batches(
    variation: Variation, num_samples: int, init_seed: int, index: int
) -> Sequence[Tensor]:
    order = torch.arange(num_samples)
    if variation.shuffled:
        draws = generator(init_seed, "sample order", index)
        order = torch.randperm(num_samples, generator=draws)
    return torch.split(order, variation.batch_size or num_samples)


class _Adam:
    """Adam over theta, with given gradients."""

    def __init__(self, theta: Params) -> None:
        self.theta = {name: p.detach().clone().requires_grad_() for name, p in theta.items()}
        self._adam = Adam(list(self.theta.values()))

    def step(self, grads: Sequence[Tensor], lr: float) -> Params:
        self._adam.follow(grads, lr)
        return {name: p.detach() for name, p in self.theta.items()}
