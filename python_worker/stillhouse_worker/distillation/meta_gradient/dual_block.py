"""A transformer block and its attention loss on duals: the block of `learners.learner`, by hand.

`push` runs it forward, `pull` takes a cotangent back through it. What passes between the two is
less than autograd keeps for a double backward, no product is computed whose result is not wanted,
and both are plain tensor operations, which compile.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ...learners.encoder import EncoderConfig
from ...learners.precision import Precision
from .duals import (
    Dual,
    Normed,
    Parameter,
    gelu,
    linear,
    matmul,
    move_linear,
    normalise,
    pull_linear,
    pull_normalise,
    pull_softmax,
    softmax,
    times,
)

Parameters = dict[str, Parameter]


class Block(NamedTuple):
    """What is the same for every run of a block.

    Attributes:
        config: sizes of the encoder.
        precision: of the products with weights on the way back; see `low_backward_linear`.
        is_last: only its first row is passed on.
        attention_weight: what the divergence from its labels, summed over every element, counts.
    """

    config: EncoderConfig
    precision: Precision
    is_last: bool
    attention_weight: float


class Saved(NamedTuple):
    """What `pull` needs of a run. Rows are those that a part of the block computes.

    Attributes:
        hidden: 2 x M S x E, or 1 x, what entered.
        query, key, value: 2 x M Hd x rows x d; the query is scaled.
        probabilities: 2 x M Hd x rows x S.
        context: 2 x M rows x E, what the heads pass on.
        attention_norm, norm: the two normalisations.
        attended: 2 x M rows x E, what the feed-forward part starts from.
        inner, slope: 2 x M rows x 4E, the activation and its slope.
        labels: weighted attention labels, M Hd x rows x S; None without.
    """

    hidden: Dual
    query: Dual
    key: Dual
    value: Dual
    probabilities: Dual
    context: Dual
    attention_norm: Normed
    attended: Dual
    inner: Dual
    slope: Dual
    norm: Normed
    labels: Tensor | None


class Pushed(NamedTuple):
    """What a block gives.

    Attributes:
        hidden: 2 x M x rows x E, what it passes on.
        target: tangent of the attention loss's gradient in its labels, of their shape; its sum is
            the rise of the loss. None without labels.
        saved: for `pull`.
    """

    hidden: Dual
    target: Tensor | None
    saved: Saved


def push(block: Block, params: Parameters, hidden: Dual, target: Tensor | None) -> Pushed:
    """Run a block.

    Args:
        block: which one.
        params: its parameters by their names within it, and v as their tangents.
        hidden: 2 x M x S x E, what enters; 1 x M x S x E where it has no tangent.
        target: log-probabilities, M x Hd x S (cls) or M x Hd x S x S (all); None without.
    """
    (_, num_samples, length, width), heads = hidden.shape, block.config.num_heads
    rows = 1 if block.is_last else length
    scored = length if target is not None and target.dim() == 4 else rows
    query, key, value = (
        _split_heads(part, num_samples, heads) for part in _project(params, hidden, scored)
    )
    query = query * (width // heads) ** -0.5
    scores = matmul(query, key.transpose(-1, -2))
    probabilities = softmax(scores)
    context = _merge_heads(matmul(probabilities[:, :, :rows], value), heads)
    out = _linear(params, "attention_out", context)
    out[: len(hidden)] += _first_rows(hidden, rows)
    attention_norm = normalise(out, block.config.layer_norm_eps)
    attended = _scale_shift(params, "attention_norm", attention_norm.rows)
    inner, slope = gelu(_linear(params, "up", attended))
    out = _linear(params, "down", inner) + attended
    norm = normalise(out, block.config.layer_norm_eps)
    passed = _scale_shift(params, "norm", norm.rows).view(2, num_samples, rows, width)
    labels = target_tangent = None
    if target is not None:
        labels = target.exp() * block.attention_weight
        labels = labels.reshape(num_samples * heads, -1, length)
        target_tangent = _target_tangent(scores, probabilities, labels).view(target.shape)
    flat = hidden.flatten(1, 2)
    saved = Saved(
        flat,
        query,
        key,
        value,
        probabilities,
        context,
        attention_norm,
        attended,
        inner,
        slope,
        norm,
        labels,
    )
    return Pushed(passed, target_tangent, saved)


def pull(
    block: Block, params: Parameters, saved: Saved, cotangent: Dual, distance: float | None
) -> Dual:
    """Take the cotangent of what a block passed on back to what entered it.

    Args:
        block, params: as for `push`; v is moved.
        saved: of that run.
        cotangent: 2 x M x rows x E.
        distance: v is moved by this times the tangents of the gradients of the parameters, in
            place; None leaves it, which saves these products.

    Returns:
        The cotangent of what entered, 2 x M x S x E; only its tangent where that had none.
    """
    (_, num_samples, rows, width), heads = cotangent.shape, block.config.num_heads
    back = _Back(block, params, distance)
    out = back.norm("norm", saved.norm, cotangent.flatten(1, 2))
    up = times(back.linear("down", saved.inner, out), saved.slope)
    out = back.linear("up", saved.attended, up) + out
    out = back.norm("attention_norm", saved.attention_norm, out)
    context = back.linear("attention_out", saved.context, out)
    context = _split_heads(context, num_samples, heads)
    probabilities = saved.probabilities[:, :, :rows]
    value = matmul(probabilities.transpose(-1, -2), context)
    weights = matmul(context, saved.value.transpose(-1, -2))
    scores = pull_softmax(probabilities, weights)
    if saved.labels is not None:
        scores = _add_attention_loss(scores, saved.probabilities, saved.labels)
    key = matmul(scores.transpose(-1, -2), saved.query)
    query = matmul(scores, saved.key) * (width // heads) ** -0.5
    parts = [_merge_heads(part, heads) for part in (query, key, value)]
    hidden = torch.unflatten(back.project(saved.hidden, parts, num_samples), 1, (num_samples, -1))
    hidden[:, :, :rows] += torch.unflatten(out, 1, (num_samples, rows))
    return hidden


class _Back(NamedTuple):
    """The reverse passes of what has parameters; each moves v when it has been used."""

    block: Block
    params: Parameters
    distance: float | None

    def linear(self, name: str, x: Dual, cotangent: Dual) -> Dual:
        weight, bias = self.params[f"{name}.weight"], self.params[f"{name}.bias"]
        return self._linear(weight, bias, x, cotangent)

    def norm(self, name: str, normed: Normed, cotangent: Dual) -> Dual:
        weight, bias = self.params[f"{name}.weight"], self.params[f"{name}.bias"]
        pulled = pull_normalise(normed, times(cotangent, weight))
        if self.distance is not None:
            slopes = times(normed.rows, cotangent)[1]
            weight.tangent.add_(slopes.sum(0), alpha=self.distance)
            bias.tangent.add_(cotangent[1].sum(0), alpha=self.distance)
        return pulled

    def project(self, hidden: Dual, parts: list[Dual], num_samples: int) -> Dual:
        """Back through query, key and value, each 2 x M rows x E, to 2 x M S x E."""
        if parts[0].shape[1] == hidden.shape[1]:  # one product for the three
            return self.linear("qkv", hidden, torch.cat(parts, -1))
        width, weight, bias = hidden.shape[-1], self.params["qkv.weight"], self.params["qkv.bias"]
        others = torch.cat(parts[1:], -1)
        whole = self._linear(weight.rows(width), bias.rows(width), hidden, others)
        first = torch.unflatten(hidden, 1, (num_samples, -1))[:, :, 0]
        own = self._linear(weight.rows(0, width), bias.rows(0, width), first, parts[0])
        torch.unflatten(whole, 1, (num_samples, -1))[:, :, 0] += own
        return whole

    def _linear(self, weight: Parameter, bias: Parameter, x: Dual, cotangent: Dual) -> Dual:
        precision = self.block.precision
        pulled = pull_linear(x, cotangent, weight, precision)
        if self.distance is not None:
            move_linear(weight, bias, x, cotangent, self.distance, precision)
        return pulled


def _project(params: Parameters, hidden: Dual, scored: int) -> tuple[Dual, ...]:
    """Query of the first ``scored`` rows, key and value of all: each 2 x M rows x E."""
    width, flat = hidden.shape[-1], hidden.flatten(1, 2)
    if scored == hidden.shape[2]:
        return _linear(params, "qkv", flat).chunk(3, -1)
    weight, bias = params["qkv.weight"], params["qkv.bias"]
    first = _first_rows(hidden, scored)
    query = linear(first, weight.rows(0, width), bias.rows(0, width))
    others = linear(flat, weight.rows(width), bias.rows(width))
    return (query, *others.chunk(2, -1))


def _linear(params: Parameters, name: str, x: Dual) -> Dual:
    return linear(x, params[f"{name}.weight"], params[f"{name}.bias"])


def _scale_shift(params: Parameters, name: str, rows: Dual) -> Dual:
    out, bias = times(rows, params[f"{name}.weight"]), params[f"{name}.bias"]
    out[0] += bias.value
    out[1] += bias.tangent
    return out


def _target_tangent(scores: Dual, probabilities: Dual, labels: Tensor) -> Tensor:
    """Of w e^t (t - log p + 1), the gradient of the divergence in the log-probabilities t."""
    rows = labels.shape[1]
    slopes = scores[1, :, :rows]
    mean = (probabilities[0, :, :rows] * slopes).sum(-1, keepdim=True)
    return labels * (mean - slopes)


def _add_attention_loss(scores: Dual, probabilities: Dual, labels: Tensor) -> Dual:
    """Add w (p sum(e^t) - e^t), the gradient of the divergence in the scores."""
    rows = labels.shape[1]
    own = probabilities[:, :, :rows] * labels.sum(-1, keepdim=True)
    own[0] -= labels
    few, many = (own, scores) if rows < scores.shape[2] else (scores, own)
    many[:, :, : few.shape[2]] += few
    return many


def _first_rows(hidden: Dual, rows: int) -> Dual:
    """The first rows of each sample, 2 x M rows x E."""
    return hidden[:, :, :rows].flatten(1, 2)


def _split_heads(x: Dual, num_samples: int, heads: int) -> Dual:
    """2 x M rows x E -> 2 x M Hd x rows x d."""
    split = x.reshape(2, num_samples, -1, heads, x.shape[-1] // heads)
    return split.transpose(2, 3).flatten(1, 2)


def _merge_heads(x: Dual, heads: int) -> Dual:
    """2 x M Hd x rows x d -> 2 x M rows x E."""
    return torch.unflatten(x, 1, (-1, heads)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
