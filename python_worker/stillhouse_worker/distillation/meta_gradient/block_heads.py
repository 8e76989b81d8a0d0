"""The attention of a block: forward, backward, and the tangents of both along a direction.

Each pass computes its probabilities itself, a few heads at a time; see `block_tiles`.
"""

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from .block_attention import attention_loss, pull_scores, push_labels, score_gradient
from .block_layout import add_rows
from .block_tiles import in_tiles
from .block_values import Block, Heads, Labelled


class Attended(NamedTuple):
    """What attention gives.

    Attributes:
        context: M Hd x rows x d.
        kept: k of the labels, M Hd x Q x S; None without.
        divergence: from the labels, M Hd x Q; None without.
    """

    context: Tensor
    kept: Tensor | None
    divergence: Tensor | None


class PushedContext(NamedTuple):
    """The tangents of what attention gives; see `LabelTangents`.

    Attributes:
        context: M Hd x rows x d.
        target, kept: M Hd x Q x S, or None.
        rise: M Hd x Q, or None.
    """

    context: Tensor
    target: Tensor | None
    kept: Tensor | None
    rise: Tensor | None


def attend(block: Block, rows: int, heads: Heads, labelled: Labelled) -> Attended:
    """The context of the first ``rows`` queries; labels may be of more."""
    return in_tiles(functools.partial(_attend, block, rows), _numel(heads), heads, labelled)


def attend_back(block: Block, heads: Heads, labelled: Labelled, context: Tensor) -> Heads:
    """The gradients, where that in the context is given, M Hd x rows x d; ``labelled`` has k."""
    function = functools.partial(_attend_back, block)
    return in_tiles(function, _numel(heads), heads, labelled, context)


def push_heads(
    block: Block, rows: int, heads: Heads, tangents: Heads, labelled: Labelled
) -> PushedContext:
    """The tangents of `attend`; ``labelled`` has k."""
    function = functools.partial(_push, block, rows)
    return in_tiles(function, _numel(heads), heads, tangents, labelled)


def pull_heads(
    block: Block,
    heads: Heads,
    tangents: Heads,
    labelled: Labelled,
    context: Tensor,
    context_tangent: Tensor,
) -> Heads:
    """The tangents of `attend_back`; ``labelled`` has k and its tangent."""
    function = functools.partial(_pull, block)
    return in_tiles(function, _numel(heads), heads, tangents, labelled, context, context_tangent)


def _numel(heads: Heads) -> int:
    return heads.query.shape[1] * heads.key.shape[1]


def _attend(block: Block, rows: int, heads: Heads, labelled: Labelled) -> Attended:
    scores_hqs = torch.bmm(heads.query, heads.key.transpose(-1, -2))
    kept_hqs, divergence = attention_loss(block, labelled.target, scores_hqs)
    seen_hqs = _left(scores_hqs[:, :rows].softmax(-1), labelled)
    return Attended(torch.bmm(seen_hqs, heads.value), kept_hqs, divergence)


def _attend_back(block: Block, heads: Heads, labelled: Labelled, context: Tensor) -> Heads:
    probabilities_hqs = _probabilities(heads)
    own_hqs = probabilities_hqs[:, : context.shape[1]]
    value_hsd = _transposed_bmm(_left(own_hqs, labelled), context)
    scores_hqs = _weights(own_hqs, heads, labelled, context).mul_(own_hqs)
    scores_hqs = _plus_labels(block, scores_hqs, labelled, probabilities_hqs)
    key_hsd = _transposed_bmm(scores_hqs, heads.query)
    return Heads(torch.bmm(scores_hqs, heads.key), key_hsd, value_hsd)


def _push(
    block: Block, rows: int, heads: Heads, tangents: Heads, labelled: Labelled
) -> PushedContext:
    probabilities_hqs = _probabilities(heads)
    scores_hqs = _scores_tangent(heads, tangents)
    tangent_hqs = _softmax_tangent(probabilities_hqs, scores_hqs)
    context_hqd = torch.bmm(_left(tangent_hqs[:, :rows], labelled), heads.value)
    context_hqd.baddbmm_(_left(probabilities_hqs[:, :rows], labelled), tangents.value)
    if labelled.target is None:
        return PushedContext(context_hqd, None, None, None)
    scored = labelled.target.shape[1]
    labels = push_labels(
        block,
        labelled.target,
        probabilities_hqs[:, :scored],
        tangent_hqs[:, :scored],
        scores_hqs[:, :scored],
    )
    return PushedContext(context_hqd, labels.target, labels.kept, labels.rise)


def _pull(
    block: Block,
    heads: Heads,
    tangents: Heads,
    labelled: Labelled,
    context: Tensor,
    context_tangent: Tensor,
) -> Heads:
    rows = context.shape[1]
    probabilities_hqs = _probabilities(heads)
    tangent_hqs = _softmax_tangent(probabilities_hqs, _scores_tangent(heads, tangents))
    own_hqs, own_tangent_hqs = probabilities_hqs[:, :rows], tangent_hqs[:, :rows]
    value_hsd = _transposed_bmm(_left(own_tangent_hqs, labelled), context)
    value_hsd += _transposed_bmm(_left(own_hqs, labelled), context_tangent)
    weights_hqs = _weights(own_hqs, heads, labelled, context)
    weights_tangent_hqs = torch.bmm(context_tangent, heads.value.transpose(-1, -2))
    weights_tangent_hqs.baddbmm_(context, tangents.value.transpose(-1, -2))
    weights_tangent_hqs = _left(weights_tangent_hqs, labelled)
    moved_hqs = _pull_softmax(own_hqs, own_tangent_hqs, weights_hqs, weights_tangent_hqs)
    scores_hqs = weights_hqs.mul_(own_hqs)
    scores_hqs = _plus_labels(block, scores_hqs, labelled, probabilities_hqs)
    if labelled.target is not None:
        scored = labelled.target.shape[1]
        labels_hqs = pull_scores(
            block,
            labelled.target,
            labelled.moved,
            probabilities_hqs[:, :scored],
            tangent_hqs[:, :scored],
        )
        moved_hqs = add_rows(moved_hqs, labels_hqs)
    query_hqd = torch.bmm(moved_hqs, heads.key).baddbmm_(scores_hqs, tangents.key)
    key_hsd = _transposed_bmm(moved_hqs, heads.query)
    key_hsd += _transposed_bmm(scores_hqs, tangents.query)
    return Heads(query_hqd, key_hsd, value_hsd)


def _probabilities(heads: Heads) -> Tensor:
    return torch.bmm(heads.query, heads.key.transpose(-1, -2)).softmax(-1)


def _scores_tangent(heads: Heads, tangents: Heads) -> Tensor:
    scores_hqs = torch.bmm(tangents.query, heads.key.transpose(-1, -2))
    return scores_hqs.baddbmm_(heads.query, tangents.key.transpose(-1, -2))


def _softmax_tangent(probabilities: Tensor, scores: Tensor) -> Tensor:
    weighted = probabilities * scores
    return weighted.addcmul_(probabilities, weighted.sum(-1, keepdim=True), value=-1)


def _pull_softmax(
    probabilities: Tensor, tangent: Tensor, weights: Tensor, weights_tangent: Tensor
) -> Tensor:
    """Tangent of p (w - <p, w>); ``weights`` is w - <p, w>."""
    moved = tangent * weights
    mean = torch.addcmul(moved, probabilities, weights_tangent).sum(-1, keepdim=True)
    return moved.addcmul_(probabilities, weights_tangent.sub_(mean))


def _weights(probabilities: Tensor, heads: Heads, labelled: Labelled, context: Tensor) -> Tensor:
    """The gradients in the probabilities, less their mean under them."""
    weights_hqs = _left(torch.bmm(context, heads.value.transpose(-1, -2)), labelled)
    return weights_hqs.sub_((probabilities * weights_hqs).sum(-1, keepdim=True))


def _plus_labels(
    block: Block, scores_hqs: Tensor, labelled: Labelled, probabilities_hqs: Tensor
) -> Tensor:
    if labelled.target is None:
        return scores_hqs
    own_hqs = probabilities_hqs[:, : labelled.target.shape[1]]
    return add_rows(scores_hqs, score_gradient(block, labelled.target, own_hqs))


def _left(values: Tensor, labelled: Labelled) -> Tensor:
    """What dropout leaves of values, tangents or gradients of the probabilities' rows."""
    return values if labelled.mask is None else values * labelled.mask


def _transposed_bmm(left: Tensor, right: Tensor) -> Tensor:
    """The transpose of ``left`` times ``right``; MKL is slower by half the other way round."""
    return torch.bmm(right.transpose(-1, -2), left).transpose(-1, -2)
