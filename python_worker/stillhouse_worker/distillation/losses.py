"""The terms of the inner loss."""

from typing import Literal, NamedTuple, get_args

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

AttentionReduction = Literal["elementwise", "keys"]
ATTENTION_REDUCTIONS: tuple[AttentionReduction, ...] = get_args(AttentionReduction)
# What is asked of attention: those that Liu et al. (2016) compare. Their cross-entropy differs from
# the divergence by the entropy of the labels alone, and so not in any meta-gradient.
AttentionLoss = Literal["kl", "mse", "mul"]
ATTENTION_LOSSES: tuple[AttentionLoss, ...] = get_args(AttentionLoss)
# How the first token's vector h behind a layer is compared with its hidden label.
HiddenLoss = Literal["cosine", "mse"]
HIDDEN_LOSSES: tuple[HiddenLoss, ...] = get_args(HiddenLoss)
# Which layers' hidden labels count in an inner step; see `HiddenTerm.layers`.
HiddenSchedule = Literal["all", "progressive", "stacked"]
HIDDEN_SCHEDULES: tuple[HiddenSchedule, ...] = get_args(HiddenSchedule)
# The logarithm of a probability that is 0 in fp32, and finite; of all keys of a query that has no
# label.
LOG_ZERO = -1e4


def soft_cross_entropy(
    logits: Float[Tensor, "m c"], labels: Float[Tensor, "m c"]
) -> Float[Tensor, ""]:
    """mean_m -sum_c y_c log softmax(z)_c; the labels need not be distributions."""
    return -(labels * logits.log_softmax(-1)).sum(-1).mean()


def attention_divergence(
    scores: Float[Tensor, "m h rows s"],
    target: Float[Tensor, "m h q s"],
    reduction: AttentionReduction,
    num_keys: int | None = None,
    kind: AttentionLoss = "kl",
) -> Float[Tensor, ""]:
    """How far a learner's attention A is from the attention labels A~ of a block.

    Args:
        scores: the learner's attention scores before the softmax, of the first Q queries at least.
        target: log-probabilities over keys, of the first Q queries.
        reduction: ``elementwise`` averages over every element; ``keys`` sums over keys and averages
            the rest.
        num_keys: what ``elementwise`` divides the sum over keys by; None for S.
        kind: ``kl``: sum over keys of A~ (log A~ - log A); ``mse``: half that of (A - A~)^2;
            ``mul``: -log sum A A~.
    """
    own = scores[:, :, : target.shape[-2]].to(target)
    total = row_divergences(own, target, kind).sum()
    return total * divergence_weight(target, reduction, num_keys)


def row_divergences(
    scores: Float[Tensor, "*rows s"], target: Float[Tensor, "*rows s"], kind: AttentionLoss
) -> Float[Tensor, "*rows"]:
    """Of each row; see `attention_divergence`."""
    if kind == "kl":
        return (target.exp() * (target - scores.log_softmax(-1))).sum(-1)
    has_label = (target.amax(-1) > LOG_ZERO / 2).to(target)
    if kind == "mse":
        rows = (scores.softmax(-1) - target.exp()).square().sum(-1) / 2
    else:
        rows = -(target + scores.log_softmax(-1)).logsumexp(-1)
    return rows * has_label


def divergence_weight(
    target: Float[Tensor, "m h q s"],
    reduction: AttentionReduction,
    num_keys: int | None = None,
) -> float:
    """The factor of the divergence that is summed over every element."""
    length = target.shape[-1]
    keys = (num_keys or length) if reduction == "elementwise" else 1
    return length / (target.numel() * keys)


class HiddenTerm(NamedTuple):
    """What is asked of hidden states: Aguilar et al. (2020), for inner steps instead of epochs.

    Attributes:
        loss: how a state is compared with its label; see `hidden_divergence`.
        schedule: which layers count in a step.
        num_steps: T, gradient steps of a learner.
    """

    loss: HiddenLoss = "cosine"
    schedule: HiddenSchedule = "all"
    num_steps: int = 1

    def layers(self, step: int, num_layers: int) -> range:
        """The layers that count in inner step ``step``, both from 0.

        With n = ceil((step + 1) L / T): "progressive": the n-th alone; "stacked": the first n.
        """
        if self.schedule == "all":
            return range(num_layers)
        reached = min(num_layers, -(-(step + 1) * num_layers // self.num_steps))
        return range(reached - 1 if self.schedule == "progressive" else 0, reached)


USUAL_HIDDEN_TERM = HiddenTerm()


def hidden_divergence(
    hidden: Float[Tensor, "m e"],
    states: Float[Tensor, "m e"],
    weights: Float[Tensor, " m"],
    kind: HiddenLoss,
) -> Float[Tensor, ""]:
    """mean_m of the weight times the distance of a layer's first token from its label.

    Args:
        hidden: the first token's vectors behind the layer.
        states, weights: the labels, and what each counts.
        kind: ``cosine``: 1 - cos(h, h~); ``mse``: half the mean over E of (LN(h) - h~)^2, where LN
            has neither weight nor bias.
    """
    if kind == "cosine":
        distance = 1 - F.cosine_similarity(hidden, states, dim=-1)
    else:
        normalised = F.layer_norm(hidden, hidden.shape[-1:])
        distance = (normalised - states).square().mean(-1) / 2
    return (weights * distance).mean()
