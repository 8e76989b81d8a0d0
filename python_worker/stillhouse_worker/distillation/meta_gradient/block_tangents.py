"""Derivatives of a block's values along a direction: forward mode over forward and reverse mode.

`push` takes the tangent of what enters a block forward, `pull` the tangent of a cotangent back.
Every value that they need is in `Trace` and `Cotangents`, so that what is computed here
are tangents alone: twice the products of a plain run, and none whose result is not wanted.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .block import rounded
from .block_layout import (
    add_rows,
    first_rows,
    inputs_of,
    join_parts,
    merge_heads,
    split_heads,
    sum_of,
    weight_spans,
)
from .block_values import Block, Cotangents, Normed, Trace


class Parameter(NamedTuple):
    """A parameter and its tangent, which lie where they are."""

    value: Tensor
    tangent: Tensor

    def rows(self, span: slice) -> "Parameter":
        """Some of its rows."""
        return Parameter(self.value[span], self.tangent[span])


Parameters = dict[str, Parameter]


class NormTangent(NamedTuple):
    """Of `Normed`: of its rows, and of its scale, as the share by which that shrinks."""

    rows: Tensor
    drift: Tensor


class Tangents(NamedTuple):
    """Of `block.Trace`, with its shapes; and what follows from ``up``, which is not kept there.

    Attributes:
        hidden: None where what entered does not depend on the direction.
        inner: M rows x F, the activation itself, a value.
        inner_tangent: its tangent.
        slope: of the activation at each entry, a value.
        slope_tangent: its tangent.
    """

    hidden: Tensor | None
    query: Tensor
    key: Tensor
    value: Tensor
    probabilities: Tensor
    context: Tensor
    attention_norm: NormTangent
    attended: Tensor
    inner: Tensor
    inner_tangent: Tensor
    slope: Tensor
    slope_tangent: Tensor
    norm: NormTangent


class Pushed(NamedTuple):
    """What `push` gives.

    Attributes:
        passed: M x rows x E, tangent of what the block passes on.
        target: M Hd x rows x S, tangent of the divergence's gradient in its labels; its sum is
            the tangent of the divergence. None without labels.
        tangents: for `pull`.
    """

    passed: Tensor
    target: Tensor | None
    tangents: Tangents


def push(
    block: Block, params: Parameters, trace: Trace, hidden: Tensor | None, num_samples: int
) -> Pushed:
    """Take the tangent of what enters a block forward.

    Args:
        block: which one.
        params: its parameters by their names within it, with their tangents.
        trace: of its run.
        hidden: M x S x E, tangent of what enters; None where it does not depend on the direction.
        num_samples: M.
    """
    heads = block.config.num_heads
    rows = len(trace.context) // num_samples
    if hidden is not None:
        hidden = hidden.flatten(0, 1)
    query, key, value = (
        split_heads(part, heads) for part in _project(params, trace, hidden, num_samples)
    )
    query = query * block.query_scale
    scores = torch.bmm(query, trace.key.transpose(-1, -2))
    scores = scores.baddbmm_(trace.query, key.transpose(-1, -2))
    probabilities = _softmax_tangent(trace.probabilities, scores)
    context = torch.bmm(probabilities[:, :rows], trace.value)
    context = context.baddbmm_(trace.probabilities[:, :rows], value)
    context = merge_heads(context, heads).flatten(0, 1)
    out = _linear(params, "attention_out", trace.context, context)
    if hidden is not None:
        out += first_rows(hidden, num_samples, rows)
    attention_norm = _normalise(trace.attention_norm, out)
    attended = _scale_shift(params, "attention_norm", trace.attention_norm, attention_norm)
    up = _linear(params, "up", trace.attended, attended)
    inner, slope, slope_tangent = _gelu(trace.up, up)
    inner_tangent = up.mul_(slope)
    out = _linear(params, "down", inner, inner_tangent) + attended
    norm = _normalise(trace.norm, out)
    passed = _scale_shift(params, "norm", trace.norm, norm)
    target = _target_tangent(trace, scores)
    tangents = Tangents(
        hidden,
        query,
        key,
        value,
        probabilities,
        context,
        attention_norm,
        attended,
        inner,
        inner_tangent,
        slope,
        slope_tangent,
        norm,
    )
    return Pushed(torch.unflatten(passed, 0, (num_samples, rows)), target, tangents)


def pull(
    block: Block,
    params: Parameters,
    trace: Trace,
    cotangents: Cotangents,
    tangents: Tangents,
    passed: Tensor,
    distance: float | None,
) -> Tensor:
    """Take the tangent of the gradient in what a block passed on back to what entered it.

    Args:
        block, params: as for `push`.
        trace, cotangents: of the block's runs forward and back.
        tangents: of `push`.
        passed: M x rows x E.
        distance: the parameters' tangents are moved by this times the tangents of the gradients
            of the parameters, in place; None leaves them, which saves these products.

    Returns:
        M x S x E.
    """
    (num_samples, rows, _), heads = passed.shape, block.config.num_heads
    back = _Back(block, params, distance)
    out = back.norm(
        "norm", trace.norm, tangents.norm, cotangents.passed, passed.flatten(0, 1), cotangents.down
    )
    inner = back.linear("down", tangents.inner, tangents.inner_tangent, cotangents.down, out)
    up = inner.mul_(tangents.slope).addcmul_(cotangents.inner, tangents.slope_tangent)
    up_value = cotangents.inner * tangents.slope
    out = back.linear("up", trace.attended, tangents.attended, up_value, up).add_(out)
    out = back.norm(
        "attention_norm",
        trace.attention_norm,
        tangents.attention_norm,
        cotangents.attended,
        out,
        cotangents.attention_out,
    )
    merged = back.linear(
        "attention_out", trace.context, tangents.context, cotangents.attention_out, out
    )
    context = split_heads(torch.unflatten(merged, 0, (num_samples, rows)), heads)
    own, own_tangent = trace.probabilities[:, :rows], tangents.probabilities[:, :rows]
    value = torch.bmm(own_tangent.transpose(-1, -2), cotangents.context)
    value = value.baddbmm_(own.transpose(-1, -2), context)
    weights = torch.bmm(context, trace.value.transpose(-1, -2))
    weights = weights.baddbmm_(cotangents.context, tangents.value.transpose(-1, -2))
    scores = _pull_softmax(own, own_tangent, cotangents.weights, weights)
    if trace.labels is not None:
        labelled = tangents.probabilities[:, : trace.labels.shape[1]]
        scores = add_rows(scores, labelled * trace.labels.sum(-1, keepdim=True))
    key = torch.bmm(scores.transpose(-1, -2), trace.query)
    key = key.baddbmm_(cotangents.scores.transpose(-1, -2), tangents.query)
    query = torch.bmm(scores, trace.key).baddbmm_(cotangents.scores, tangents.key)
    query *= block.query_scale
    projected = join_parts([merge_heads(part, heads) for part in (query, key, value)])
    entered = back.project(trace, cotangents.projected, tangents.hidden, projected, num_samples)
    entered[:, :rows] += torch.unflatten(out, 0, (num_samples, rows))
    return entered


class _Back(NamedTuple):
    """The runs back of what has parameters; each moves their tangents when it has used them."""

    block: Block
    params: Parameters
    distance: float | None

    def norm(
        self,
        name: str,
        normed: Normed,
        tangent: NormTangent,
        value: Tensor,
        cotangent: Tensor,
        out: Tensor,
    ) -> Tensor:
        """Args: the normalisation, its tangent, the cotangent, its tangent, what came out."""
        weight, bias = self.params[f"{name}.weight"], self.params[f"{name}.bias"]
        scaled = value * weight.value
        moved = (cotangent * weight.value).addcmul_(value, weight.tangent)
        along = (normed.rows * scaled).mean(-1, keepdim=True)
        along_tangent = (tangent.rows * scaled).addcmul_(normed.rows, moved).mean(-1, keepdim=True)
        pulled = moved.sub_(moved.mean(-1, keepdim=True))
        pulled.addcmul_(tangent.rows, along, value=-1)
        pulled.addcmul_(normed.rows, along_tangent, value=-1)
        pulled.mul_(normed.scale).addcmul_(out, tangent.drift, value=-1)
        if self.distance is not None:
            slopes = (tangent.rows * value).addcmul_(normed.rows, cotangent)
            weight.tangent.add_(slopes.sum(0), alpha=self.distance)
            bias.tangent.add_(cotangent.sum(0), alpha=self.distance)
        return pulled

    def linear(
        self, name: str, x: Tensor, tangent: Tensor, value: Tensor, cotangent: Tensor
    ) -> Tensor:
        """Args: the rows and their tangent; the cotangent and its tangent."""
        weight, bias = self.params[f"{name}.weight"], self.params[f"{name}.bias"]
        return self._linear(weight, bias, x, tangent, value, cotangent)

    def project(
        self,
        trace: Trace,
        values: tuple[Tensor, ...],
        hidden: Tensor | None,
        projected: tuple[Tensor, ...],
        num_samples: int,
    ) -> Tensor:
        weight, bias = self.params["qkv.weight"], self.params["qkv.bias"]
        inputs = inputs_of(projected, trace.hidden, num_samples)
        moved: list[Tensor | None] = [None] * len(inputs)
        if hidden is not None:
            moved = [*inputs_of(projected, hidden, num_samples)]
        backs = [
            self._linear(weight.rows(span), bias.rows(span), x, tangent, value, part)
            for span, x, tangent, value, part in zip(
                weight_spans(projected), inputs, moved, values, projected, strict=True
            )
        ]
        return sum_of(backs, num_samples)

    def _linear(
        self,
        weight: Parameter,
        bias: Parameter,
        x: Tensor,
        tangent: Tensor | None,
        value: Tensor,
        cotangent: Tensor,
    ) -> Tensor:
        precision = self.block.precision
        low, low_value = rounded(cotangent, precision), rounded(value, precision)
        pulled = low @ rounded(weight.value, precision)
        pulled = pulled.addmm_(low_value, rounded(weight.tangent, precision)).to(cotangent)
        if self.distance is not None:
            rows, inputs = low.t(), rounded(x, precision)
            if tangent is not None:  # one product of twice the rows
                rows = torch.cat([low, low_value]).t()
                inputs = torch.cat([inputs, rounded(tangent, precision)])
            if precision == "fp32":
                weight.tangent.addmm_(rows, inputs, alpha=self.distance)
            else:
                weight.tangent.add_(rows @ inputs, alpha=self.distance)
            bias.tangent.add_(cotangent.sum(0), alpha=self.distance)
        return pulled


def _linear(params: Parameters, name: str, x: Tensor, tangent: Tensor) -> Tensor:
    weight, bias = params[f"{name}.weight"], params[f"{name}.bias"]
    return F.linear(x, weight.tangent, bias.tangent).addmm_(tangent, weight.value.t())


def _project(
    params: Parameters, trace: Trace, hidden: Tensor | None, num_samples: int
) -> list[Tensor]:
    """Of query, key and value, each M x rows x E."""
    weight, bias = params["qkv.weight"], params["qkv.bias"]
    scored, length, width = trace.query.shape[1], trace.key.shape[1], trace.hidden.shape[-1]

    def part(rows: int, span: slice) -> Tensor:
        first = first_rows(trace.hidden, num_samples, rows)
        out = F.linear(first, weight.tangent[span], bias.tangent[span])
        if hidden is not None:
            out.addmm_(first_rows(hidden, num_samples, rows), weight.value[span].t())
        return torch.unflatten(out, 0, (num_samples, rows))

    if scored == length:  # one product for the three
        return list(part(length, slice(None)).chunk(3, -1))
    return [part(scored, slice(width)), *part(length, slice(width, None)).chunk(2, -1)]


def _softmax_tangent(probabilities: Tensor, scores: Tensor) -> Tensor:
    weighted = probabilities * scores
    return weighted.addcmul(probabilities, weighted.sum(-1, keepdim=True), value=-1)


def _pull_softmax(
    probabilities: Tensor, tangent: Tensor, weights: Tensor, weights_tangent: Tensor
) -> Tensor:
    """Tangent of p (w - <p, w>); ``weights`` is w - <p, w>."""
    mean = (tangent * weights).addcmul_(probabilities, weights_tangent).sum(-1, keepdim=True)
    return (tangent * weights).addcmul_(probabilities, weights_tangent - mean)


def _gelu(value: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The exact GELU, its slope, and the tangent of that."""
    cumulative = (value * math.sqrt(0.5)).erf_().add_(1).mul_(0.5)
    square = value.square()
    density = square.mul(-0.5).exp_().mul_(1 / math.sqrt(2 * math.pi))
    slope = torch.addcmul(cumulative, value, density)
    curvature = square.neg_().add_(2).mul_(density)
    return cumulative.mul_(value), slope, curvature.mul_(tangent)


def _normalise(normed: Normed, tangent: Tensor) -> NormTangent:
    rows = (tangent - tangent.mean(-1, keepdim=True)).mul_(normed.scale)
    drift = (normed.rows * rows).mean(-1, keepdim=True)
    return NormTangent(rows.addcmul_(normed.rows, drift, value=-1), drift)


def _scale_shift(params: Parameters, name: str, normed: Normed, tangent: NormTangent) -> Tensor:
    weight, bias = params[f"{name}.weight"], params[f"{name}.bias"]
    out = torch.addcmul(bias.tangent, normed.rows, weight.tangent)
    return out.addcmul_(tangent.rows, weight.value)


def _target_tangent(trace: Trace, scores: Tensor) -> Tensor | None:
    """Of w e^t (t - log p + 1), the gradient of the divergence in the log-probabilities t."""
    if trace.labels is None:
        return None
    rows = trace.labels.shape[1]
    slopes = scores[:, :rows]
    mean = (trace.probabilities[:, :rows] * slopes).sum(-1, keepdim=True)
    return trace.labels * (mean - slopes)
