"""The terms of the inner loss."""

from typing import Literal, get_args

import torch
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
    scores: tuple[Tensor, ...], target: Tensor, reduction: AttentionReduction
) -> Float[Tensor, ""]:
    """KL(A~ || A) between attention labels and a learner's attention.

    Args:
        scores: the learner's attention scores before the softmax, one M x Hd x S x S a block.
        target: log-probabilities over keys, M x L x Hd x S for the first query alone or
            M x L x Hd x S x S for all.
        reduction: ``elementwise`` averages A~ (log A~ - log A) over every element; ``keys`` sums
            over keys and averages the rest.
    """
    if target.dim() == 4:
        scores = tuple(block[:, :, 0] for block in scores)
    predicted = torch.stack(scores, dim=1).log_softmax(-1)
    pointwise = target.exp() * (target - predicted)
    return pointwise.mean() if reduction == "elementwise" else pointwise.sum(-1).mean()
