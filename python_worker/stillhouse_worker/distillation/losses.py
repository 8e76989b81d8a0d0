"""The terms of the inner loss."""

from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

AttentionReduction = Literal["elementwise", "keys"]
ATTENTION_REDUCTIONS: tuple[AttentionReduction, ...] = get_args(AttentionReduction)
# What is asked of attention: those that Liu et al. (2016) compare. Their cross-entropy differs from
# the divergence by the entropy of the labels alone, and so not in any meta-gradient.
AttentionLoss = Literal["kl", "mse", "mul"]
ATTENTION_LOSSES: tuple[AttentionLoss, ...] = get_args(AttentionLoss)
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
    return summed_divergence(own, target, kind) * divergence_weight(target, reduction, num_keys)


def summed_divergence(
    scores: Float[Tensor, "*rows s"], target: Float[Tensor, "*rows s"], kind: AttentionLoss
) -> Float[Tensor, ""]:
    """The sum over all rows; see `attention_divergence`."""
    if kind == "kl":
        return (target.exp() * (target - scores.log_softmax(-1))).sum()
    has_label = (target.amax(-1) > LOG_ZERO / 2).to(target)
    if kind == "mse":
        rows = (scores.softmax(-1) - target.exp()).square().sum(-1) / 2
    else:
        rows = -(target + scores.log_softmax(-1)).logsumexp(-1)
    return (rows * has_label).sum()


def divergence_weight(
    target: Float[Tensor, "m h q s"],
    reduction: AttentionReduction,
    num_keys: int | None = None,
) -> float:
    """The factor of the divergence that is summed over every element."""
    length = target.shape[-1]
    keys = (num_keys or length) if reduction == "elementwise" else 1
    return length / (target.numel() * keys)
