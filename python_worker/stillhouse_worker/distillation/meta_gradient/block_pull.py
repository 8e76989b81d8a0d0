"""Forward mode over a block's backward pass: the tangent of a gradient."""

from typing import NamedTuple

import torch
from torch import Tensor

from .block import rounded
from .block_attention import pull_scores
from .block_layout import (
    add_rows,
    inputs_of,
    join_parts,
    merge_heads,
    split_heads,
    sum_of,
    weight_spans,
)
from .block_moves import Distance, move, move_by_product
from .block_tangents import NormTangent, Parameter, Parameters, Tangents
from .block_values import Block, Cotangents, Normed, Trace


def pull(
    block: Block,
    params: Parameters,
    trace: Trace,
    cotangents: Cotangents,
    tangents: Tangents,
    passed: Tensor,
    distance: Distance | None,
) -> Tensor:
    """Take the tangent of the gradient in what a block passed on back to its entry, M x S x E.

    Args:
        block, params: as for `push`.
        trace, cotangents: of the block's forward and backward passes.
        tangents: of `push`.
        passed: M x rows x E.
        distance: the parameters' tangents are moved by this times the tangents of the gradients
            of the parameters, in place; None leaves them, which saves these products.
    """
    (num_samples, rows, _), heads = passed.shape, block.config.num_heads
    back = _Back(block, params, distance)
    out_re = back.norm(
        "norm", trace.norm, tangents.norm, cotangents.passed, passed.flatten(0, 1), cotangents.down
    )
    inner_rf = back.linear(
        "down",
        tangents.inner,
        tangents.inner_tangent,
        trace.down_left(cotangents.down),
        trace.down_left(out_re),
    )
    up_rf = inner_rf.mul_(tangents.slope).addcmul_(cotangents.inner, tangents.slope_tangent)
    up_value_rf = cotangents.inner * tangents.slope
    out_re = back.linear("up", trace.attended, tangents.attended, up_value_rf, up_rf).add_(out_re)
    out_re = back.norm(
        "attention_norm",
        trace.attention_norm,
        tangents.attention_norm,
        cotangents.attended,
        out_re,
        cotangents.attention_out,
    )
    merged_re = back.linear(
        "attention_out",
        trace.context,
        tangents.context,
        trace.attention_out_left(cotangents.attention_out),
        trace.attention_out_left(out_re),
    )
    context_hqd = split_heads(torch.unflatten(merged_re, 0, (num_samples, rows)), heads)
    value_hsd, scores_hqs = _pull_attention(block, trace, cotangents, tangents, context_hqd)
    key_hsd = torch.bmm(scores_hqs.transpose(-1, -2), trace.query)
    key_hsd = key_hsd.baddbmm_(cotangents.scores.transpose(-1, -2), tangents.query)
    query_hqd = torch.bmm(scores_hqs, trace.key).baddbmm_(cotangents.scores, tangents.key)
    query_hqd *= block.query_scale
    projected = join_parts([merge_heads(part, heads) for part in (query_hqd, key_hsd, value_hsd)])
    entered_mse = back.project(trace, cotangents.projected, tangents.hidden, projected, num_samples)
    entered_mse[:, :rows] += torch.unflatten(out_re, 0, (num_samples, rows))
    return entered_mse


class _Back(NamedTuple):
    """The backward passes of the parts with parameters; each moves their tangents after use."""

    block: Block
    params: Parameters
    distance: Distance | None

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
            move(weight.tangent, slopes.sum(0), self.distance)
            move(bias.tangent, cotangent.sum(0), self.distance)
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
                move_by_product(weight.tangent, rows, inputs, self.distance)
            else:
                move(weight.tangent, rows @ inputs, self.distance)
            move(bias.tangent, cotangent.sum(0), self.distance)
        return pulled


def _pull_attention(
    block: Block,
    trace: Trace,
    cotangents: Cotangents,
    tangents: Tangents,
    context_hqd: Tensor,
) -> tuple[Tensor, Tensor]:
    """Tangents of the gradients in value, M Hd x S x d, and in the scores, M Hd x rows x S."""
    rows = context_hqd.shape[1]
    own_hqs, own_tangent_hqs = trace.probabilities[:, :rows], tangents.probabilities[:, :rows]
    seen_hqs, seen_tangent_hqs = (trace.attention_left(p) for p in (own_hqs, own_tangent_hqs))
    value_hsd = torch.bmm(seen_tangent_hqs.transpose(-1, -2), cotangents.context)
    value_hsd = value_hsd.baddbmm_(seen_hqs.transpose(-1, -2), context_hqd)
    weights_hqs = torch.bmm(context_hqd, trace.value.transpose(-1, -2))
    weights_hqs = weights_hqs.baddbmm_(cotangents.context, tangents.value.transpose(-1, -2))
    weights_hqs = trace.attention_left(weights_hqs)
    scores_hqs = _pull_softmax(own_hqs, own_tangent_hqs, cotangents.weights, weights_hqs)
    if trace.target is not None:
        scored = trace.target.shape[1]
        labelled_hqs = pull_scores(
            block,
            trace.target,
            tangents.target,
            trace.probabilities[:, :scored],
            tangents.probabilities[:, :scored],
        )
        scores_hqs = add_rows(scores_hqs, labelled_hqs)
    return value_hsd, scores_hqs


def _pull_softmax(
    probabilities: Tensor, tangent: Tensor, weights: Tensor, weights_tangent: Tensor
) -> Tensor:
    """Tangent of p (w - <p, w>); ``weights`` is w - <p, w>."""
    mean = (tangent * weights).addcmul_(probabilities, weights_tangent).sum(-1, keepdim=True)
    return (tangent * weights).addcmul_(probabilities, weights_tangent - mean)
