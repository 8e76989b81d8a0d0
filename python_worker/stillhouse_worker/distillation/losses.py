"""The terms of the inner loss."""

from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

AttentionReduction = Literal["elementwise", "keys"]
ATTENTION_REDUCTIONS: tuple[AttentionReduction, ...] = get_args(AttentionReduction)


def soft_cross_entropy(
    logits: Float[Tensor, "m c"], labels: Float[Tensor, "m c"]
) -> Float[Tensor, ""]:
    """mean_m -sum_c y_c log softmax(z)_c; the labels need not be distributions."""
    return -(labels * logits.log_softmax(-1)).sum(-1).mean()


def attention_divergence(
    scores: Float[Tensor, "m h q s"],
    target: Tensor,
    reduction: AttentionReduction,
    num_keys: int | None = None,
) -> Float[Tensor, ""]:
    """KL(A~ || A) between the attention labels of a block and a learner's attention.

    Args:
        scores: the learner's attention scores before the softmax.
        target: log-probabilities over keys, M x Hd x S for the first query alone or
            M x Hd x S x S for all.
        reduction: ``elementwise`` averages A~ (log A~ - log A) over every element; ``keys`` sums
            over keys and averages the rest.
        num_keys: what ``elementwise`` divides the sum over keys by; None for S.
    """
    if target.dim() == 3:
        scores = scores[:, :, 0]
    pointwise = target.exp() * (target - scores.to(target).log_softmax(-1))
    return pointwise.sum() * divergence_weight(target, reduction, num_keys)


def divergence_weight(
    target: Tensor, reduction: AttentionReduction, num_keys: int | None = None
) -> float:
    """What the divergence, summed over every element, is multiplied by."""
    length = target.shape[-1]
    keys = (num_keys or length) if reduction == "elementwise" else 1
    return length / (target.numel() * keys)
