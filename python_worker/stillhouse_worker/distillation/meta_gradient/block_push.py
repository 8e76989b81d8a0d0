"""Forward mode over a block's forward pass: the tangent of its output."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .block_attention import LabelTangents, push_labels
from .block_layout import first_rows, merge_heads, split_heads
from .block_tangents import NormTangent, Parameters, Pushed, Tangents
from .block_values import Block, Normed, Trace


def push(
    block: Block, params: Parameters, trace: Trace, hidden: Tensor | None, num_samples: int
) -> Pushed:
    """Take the tangent of what enters a block forward.

    Args:
        block, params: which one, and its parameters by their names, with their tangents.
        trace: of its forward pass.
        hidden: M x S x E, tangent of what enters; None where it does not depend on the direction.
        num_samples: M.
    """
    heads = block.config.num_heads
    rows = len(trace.context) // num_samples
    hidden = None if hidden is None else hidden.flatten(0, 1)
    query_hqd, key_hsd, value_hsd = (
        split_heads(part, heads) for part in _project(params, trace, hidden, num_samples)
    )
    query_hqd = query_hqd * block.query_scale
    scores_hqs = torch.bmm(query_hqd, trace.key.transpose(-1, -2))
    scores_hqs = scores_hqs.baddbmm_(trace.query, key_hsd.transpose(-1, -2))
    probabilities_hqs = _softmax_tangent(trace.probabilities, scores_hqs)
    context_re = _context_tangent(trace, probabilities_hqs, value_hsd, rows)
    context_re = merge_heads(context_re, heads).flatten(0, 1)
    out_re = _linear(params, "attention_out", trace.context, context_re)
    out_re = trace.attention_out_left(out_re)
    if hidden is not None:
        out_re += first_rows(hidden, num_samples, rows)
    attention_norm = _normalise(trace.attention_norm, out_re)
    attended_re = _scale_shift(params, "attention_norm", trace.attention_norm, attention_norm)
    up_rf = _linear(params, "up", trace.attended, attended_re)
    inner_rf, slope_rf, slope_tangent_rf = _gelu(trace.up, up_rf)
    inner_tangent_rf = up_rf.mul_(slope_rf)
    out_re = trace.down_left(_linear(params, "down", inner_rf, inner_tangent_rf)) + attended_re
    norm = _normalise(trace.norm, out_re)
    passed = torch.unflatten(_scale_shift(params, "norm", trace.norm, norm), 0, (num_samples, rows))
    labels = _push_labels(block, trace, probabilities_hqs, scores_hqs)
    tangents = Tangents(
        hidden,
        query_hqd,
        key_hsd,
        value_hsd,
        probabilities_hqs,
        context_re,
        attention_norm,
        attended_re,
        inner_rf,
        inner_tangent_rf,
        slope_rf,
        slope_tangent_rf,
        norm,
        labels and labels.kept,
    )
    return Pushed(passed, labels and labels.target, labels and labels.rise, tangents)


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


def _context_tangent(
    trace: Trace, probabilities_hqs: Tensor, value_hsd: Tensor, rows: int
) -> Tensor:
    """M Hd x rows x d, of the probabilities times the values."""
    context_hqd = torch.bmm(trace.attention_left(probabilities_hqs[:, :rows]), trace.value)
    return context_hqd.baddbmm_(trace.attention_left(trace.probabilities[:, :rows]), value_hsd)


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


def _push_labels(
    block: Block, trace: Trace, probabilities_hqs: Tensor, scores_hqs: Tensor
) -> LabelTangents | None:
    """The tangents of what depends on attention labels; None without."""
    if trace.target is None:
        return None
    rows = trace.target.shape[1]
    return push_labels(
        block,
        trace.target,
        trace.probabilities[:, :rows],
        probabilities_hqs[:, :rows],
        scores_hqs[:, :rows],
    )
