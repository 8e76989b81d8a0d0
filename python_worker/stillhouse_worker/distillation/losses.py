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
    scores: Float[Tensor, "m h rows s"],
    target: Float[Tensor, "m h q s"],
    reduction: AttentionReduction,
    num_keys: int | None = None,
) -> Float[Tensor, ""]:
    """KL(A~ || A) between the attention labels of a block and a learner's attention.

    Args:
        scores: the learner's attention scores before the softmax, of the first Q queries at least.
        target: log-probabilities over keys, of the first Q queries.
        reduction: ``elementwise`` averages A~ (log A~ - log A) over every element; ``keys`` sums
            over keys and averages the rest.
        num_keys: what ``elementwise`` divides the sum over keys by; None for S.
    """
    own = scores[:, :, : target.shape[-2]].to(target)
    pointwise = target.exp() * (target - own.log_softmax(-1))
    return pointwise.sum() * divergence_weight(target, reduction, num_keys)


def divergence_weight(
    target: Float[Tensor, "m h q s"],
    reduction: AttentionReduction,
    num_keys: int | None = None,
) -> float:
    """The factor of the divergence that is summed over every element."""
    length = target.shape[-1]
    keys = (num_keys or length) if reduction == "elementwise" else 1
    return length / (target.numel() * keys)
