"""Forward mode over a block's forward pass: the tangent of its output."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .block_gelu import push_gelu
from .block_heads import push_heads
from .block_layout import first_rows, merge_heads, split_heads
from .block_tangents import NormTangent, Parameters, Pushed, Tangents
from .block_values import Block, Heads, Normed, Trace


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
    projected = Heads(
        *(split_heads(part, heads) for part in _project(params, trace, hidden, num_samples))
    )
    projected = projected._replace(query=projected.query * block.query_scale)
    pushed = push_heads(block, rows, trace.heads, projected, trace.labelled)
    context_re = merge_heads(pushed.context, heads).flatten(0, 1)
    out_re = _linear(params, "attention_out", trace.context, context_re)
    out_re = trace.attention_out_left(out_re)
    if hidden is not None:
        out_re += first_rows(hidden, num_samples, rows)
    attention_norm = _normalise(trace.attention_norm, out_re)
    attended_re = _scale_shift(params, "attention_norm", trace.attention_norm, attention_norm)
    up_rf = _linear(params, "up", trace.attended, attended_re)
    inner_rf, inner_tangent_rf = push_gelu(trace.up, up_rf)
    out_re = trace.down_left(_linear(params, "down", inner_rf, inner_tangent_rf)) + attended_re
    norm = _normalise(trace.norm, out_re)
    passed = torch.unflatten(_scale_shift(params, "norm", trace.norm, norm), 0, (num_samples, rows))
    tangents = Tangents(
        hidden,
        projected,
        context_re,
        attention_norm,
        attended_re,
        up_rf,
        norm,
        pushed.kept,
    )
    return Pushed(
        passed, pushed.target, None if pushed.rise is None else pushed.rise.sum(), tangents
    )


def _linear(params: Parameters, name: str, x: Tensor, tangent: Tensor) -> Tensor:
    weight, bias = params[f"{name}.weight"], params[f"{name}.bias"]
    return F.linear(x, weight.tangent, bias.tangent).addmm_(tangent, weight.value.t())


def _project(
    params: Parameters, trace: Trace, hidden: Tensor | None, num_samples: int
) -> list[Tensor]:
    """Of query, key and value, each M x rows x E."""
    weight, bias = params["qkv.weight"], params["qkv.bias"]
    scored, length, width = (
        trace.heads.query.shape[1],
        trace.heads.key.shape[1],
        trace.hidden.shape[-1],
    )

    def part(rows: int, span: slice) -> Tensor:
        first = first_rows(trace.hidden, num_samples, rows)
        out = F.linear(first, weight.tangent[span], bias.tangent[span])
        if hidden is not None:
            out.addmm_(first_rows(hidden, num_samples, rows), weight.value[span].t())
        return torch.unflatten(out, 0, (num_samples, rows))

    if scored == length:  # one product for the three
        return list(part(length, slice(None)).chunk(3, -1))
    return [part(scored, slice(width)), *part(length, slice(width, None)).chunk(2, -1)]


def _normalise(normed: Normed, tangent: Tensor) -> NormTangent:
    rows = (tangent - tangent.mean(-1, keepdim=True)).mul_(normed.scale)
    drift = (normed.rows * rows).mean(-1, keepdim=True)
    return NormTangent(rows.addcmul_(normed.rows, drift, value=-1), drift)


def _scale_shift(params: Parameters, name: str, normed: Normed, tangent: NormTangent) -> Tensor:
    weight, bias = params[f"{name}.weight"], params[f"{name}.bias"]
    out = torch.addcmul(bias.tangent, normed.rows, weight.tangent)
    return out.addcmul_(tangent.rows, weight.value)
