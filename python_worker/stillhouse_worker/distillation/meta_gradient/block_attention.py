"""The attention loss of a block by hand: its gradients, and their tangents along a direction.

Of a row of scores s with probabilities p, of labels a = e^t with logarithms t, and of w, the
weight of the loss; a forward pass keeps k:

          loss                 k                   d/ds                         d/dt
    kl    w sum a (t - log p)  w a                 p sum k - k                  k (t - log p + 1)
    mse   w/2 sum (p - a)^2    w a                 p (r - <p, r>), r = w p - k  -k (p - a)
    mul   -w log sum a p       w softmax(t + s)    p sum k - k                  -k

All rows have labels. Tensors are M Hd x Q x S.
"""

from typing import NamedTuple

from torch import Tensor

from ..losses import row_divergences
from .block_values import Block


class LabelTangents(NamedTuple):
    """The tangents of what depends on the labels.

    Attributes:
        target: of the gradient in t.
        kept: of k; None where that does not depend on the direction.
        rise: of the loss of each row, M Hd x Q; None where it is the sum of ``target``.
    """

    target: Tensor
    kept: Tensor | None
    rise: Tensor | None


def attention_loss(
    block: Block, target: Tensor | None, scores_hqs: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """k and the loss of each row, M Hd x Q; None and None without labels.

    Args:
        block: which one.
        target: M Hd x Q x S, t; None without labels.
        scores_hqs: s of the first Q queries at least.
    """
    if target is None:
        return None, None
    own_hqs = scores_hqs[:, : target.shape[1]]
    if block.attention_loss == "kl":
        kept_hqs = target.exp() * block.attention_weight
        return kept_hqs, (kept_hqs * (target - own_hqs.log_softmax(-1))).sum(-1)
    loss = row_divergences(own_hqs, target, block.attention_loss) * block.attention_weight
    labels_hqs = target.exp() if block.attention_loss == "mse" else (target + own_hqs).softmax(-1)
    return labels_hqs * block.attention_weight, loss


def score_gradient(block: Block, kept: Tensor, probabilities: Tensor) -> Tensor:
    """d/ds."""
    if block.attention_loss != "mse":
        return probabilities * kept.sum(-1, keepdim=True) - kept
    away = probabilities * block.attention_weight - kept
    return probabilities * (away - _mean(probabilities, away))


def push_labels(
    block: Block, kept: Tensor, probabilities: Tensor, tangent: Tensor, scores: Tensor
) -> LabelTangents:
    """The tangents of what depends on the labels, where those of p and s are given.

    Args:
        block, kept: which one, and k.
        probabilities, tangent: p and its tangent.
        scores: the tangent of s.
    """
    if block.attention_loss == "kl":
        return LabelTangents(kept * (_mean(probabilities, scores) - scores), None, None)
    rise = (score_gradient(block, kept, probabilities) * scores).sum(-1)
    if block.attention_loss == "mse":
        return LabelTangents(-kept * tangent, None, rise)
    shares = kept / kept.sum(-1, keepdim=True)
    moved = kept * (scores - _mean(shares, scores))
    return LabelTangents(-moved, moved, rise)


def pull_scores(
    block: Block, kept: Tensor, moved: Tensor | None, probabilities: Tensor, tangent: Tensor
) -> Tensor:
    """The tangent of d/ds.

    Args:
        block, kept, moved: which one, k, and its tangent where it has one.
        probabilities, tangent: p and its tangent.
    """
    if block.attention_loss == "kl":
        return tangent * kept.sum(-1, keepdim=True)
    if block.attention_loss == "mul":
        assert moved is not None  # `push_labels` gives it
        return tangent * kept.sum(-1, keepdim=True) - moved
    weight = block.attention_weight
    away, turned = probabilities * weight - kept, tangent * weight
    mean = _mean(tangent, away) + _mean(probabilities, turned)
    return tangent * (away - _mean(probabilities, away)) + probabilities * (turned - mean)


def _mean(probabilities: Tensor, values: Tensor) -> Tensor:
    return (probabilities * values).sum(-1, keepdim=True)
