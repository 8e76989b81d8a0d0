"""The block of `learners.learner` with hand-written forward and backward passes.

What autograd would keep in a graph is kept in two plain tuples (`block_values`), since the
derivatives along a direction (`block_push`, `block_pull`) need each of these values once more.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...learners.interface import Params
from ...learners.precision import Precision, low_dtype
from .block_heads import attend, attend_back
from .block_layout import (
    inputs_of,
    join_parts,
    merge_heads,
    split_heads,
    sum_of,
    weight_spans,
)
from .block_moves import Distance, moved, moved_by_product
from .block_values import (
    Backward,
    Block,
    Cotangents,
    Forward,
    Heads,
    Labelled,
    Masks,
    Narrow,
    Normed,
    Trace,
)


def run_forward(
    block: Block,
    params: Params,
    hidden: Tensor,
    target: Tensor | None,
    narrow: Narrow | None = None,
    masks: Masks | None = None,
) -> Forward:
    """The forward pass of a block.

    Args:
        block, params, hidden: which one, its parameters by their names, and M x S x E.
        target: its attention labels, M x Hd x Q x S log-probabilities; None without.
        narrow: kept values of an earlier pass at the same point, if there are any.
        masks: of dropout.
    """
    (num_samples, length, width), heads = hidden.shape, block.config.num_heads
    rows = 1 if block.passes_first else length
    scored = rows if target is None else max(rows, target.shape[-2])
    projected = _project(params, hidden, scored, heads)
    projected = projected._replace(query=projected.query * block.query_scale)
    if narrow and narrow.heads:
        (context_re, kept_hqs, _), shares = narrow.heads, None
    else:
        labels = None if target is None else target.flatten(0, 1)
        labelled = Labelled(masks and masks.attention, labels)
        context_hqd, kept_hqs, shares = attend(block, rows, projected, labelled)
        context_re = merge_heads(context_hqd, heads).flatten(0, 1)
    if narrow:
        attention_norm = narrow.attention_norm
    else:
        out_re = _linear(params, "attention_out", context_re)
        out_re = out_re if masks is None else out_re * masks.attention_out
        out_re = out_re + hidden[:, :rows].flatten(0, 1)
        attention_norm = _normalise(out_re, block.config.layer_norm_eps)
    attended_re = _scale_shift(params, "attention_norm", attention_norm.rows)
    up_rf = _linear(params, "up", attended_re)
    if narrow:
        norm = narrow.norm
    else:
        out_re = _linear(params, "down", F.gelu(up_rf))
        out_re = out_re if masks is None else out_re * masks.down
        out_re = out_re + attended_re
        norm = _normalise(out_re, block.config.layer_norm_eps)
    passed = _scale_shift(params, "norm", norm.rows).view(num_samples, rows, width)
    trace = Trace(
        hidden.flatten(0, 1),
        projected,
        context_re,
        attention_norm,
        attended_re,
        up_rf,
        norm,
        kept_hqs,
        masks,
    )
    return Forward(passed, None if shares is None else shares.sum(), trace)


def run_backward(
    block: Block,
    params: Params,
    trace: Trace,
    passed: Tensor,
    distance: Distance | None,
    wants_entered: bool,
    narrow: Narrow | None = None,
) -> Backward:
    """The backward pass of a block.

    Args:
        block, params: as for `run_forward`.
        trace: of the forward pass.
        passed: M x rows x E, gradient in what the block passed on.
        distance: how far along their gradients the parameters are moved, into new tensors; None
            leaves this out.
        wants_entered: whether the gradient in what entered is needed.
        narrow: kept values of an earlier pass at the same point, if there are any; then
            ``distance`` must be None.
    """
    (num_samples, rows, _), heads = passed.shape, block.config.num_heads
    back = _Back(params, block.precision, distance, {})
    passed = passed.flatten(0, 1)
    down_re = back.norm("norm", trace.norm, passed)
    # Only a step of gradient descent needs the activation again.
    activation_rf = None if distance is None else F.gelu(trace.up)
    inner_rf = back.linear("down", activation_rf, trace.down_left(down_re))
    up_rf = torch.ops.aten.gelu_backward(inner_rf, trace.up)
    attended_re = narrow.attended if narrow else back.linear("up", trace.attended, up_rf) + down_re
    out_re = back.norm("attention_norm", trace.attention_norm, attended_re)
    if narrow:
        context_hqd = narrow.context
    else:
        left_re = trace.attention_out_left(out_re)
        merged_re = back.linear("attention_out", trace.context, left_re)
        context_hqd = split_heads(torch.unflatten(merged_re, 0, (num_samples, rows)), heads)
    if narrow and narrow.heads:
        qkv = narrow.heads.projected
    else:
        query_hqd, *others = attend_back(block, trace.heads, trace.labelled, context_hqd)
        query_hqd = query_hqd * block.query_scale
        qkv = join_parts([merge_heads(part, heads) for part in (query_hqd, *others)])
    entered_mse = back.project(trace.hidden, qkv, num_samples, wants_entered)
    if entered_mse is not None:
        entered_mse[:, :rows] += torch.unflatten(out_re, 0, (num_samples, rows))
    cotangents = Cotangents(passed, down_re, inner_rf, attended_re, out_re, context_hqd, qkv)
    return Backward(entered_mse, cotangents, back.trained)


class _Back(NamedTuple):
    """The backward passes of the parts with parameters."""

    params: Params
    precision: Precision
    distance: Distance | None
    trained: Params

    def norm(self, name: str, normed: Normed, cotangent: Tensor) -> Tensor:
        weight = self.params[f"{name}.weight"]
        if self.distance is not None:
            self._move(f"{name}.weight", (normed.rows * cotangent).sum(0))
            self._move(f"{name}.bias", cotangent.sum(0))
        scaled = cotangent * weight
        along = (normed.rows * scaled).mean(-1, keepdim=True)
        rest = scaled - scaled.mean(-1, keepdim=True)
        return torch.addcmul(rest, normed.rows, along, value=-1).mul_(normed.scale)

    def linear(self, name: str, x: Tensor | None, cotangent: Tensor) -> Tensor:
        if self.distance is not None and x is not None:
            weight, bias = self.params[f"{name}.weight"], self.params[f"{name}.bias"]
            weight, bias = _trained(weight, bias, x, cotangent, self.distance, self.precision)
            self.trained[f"{name}.weight"], self.trained[f"{name}.bias"] = weight, bias
        return rows_back(cotangent, self.params[f"{name}.weight"], self.precision)

    def project(
        self, hidden: Tensor, projected: tuple[Tensor, ...], num_samples: int, wanted: bool
    ) -> Tensor | None:
        weight, bias = self.params["qkv.weight"], self.params["qkv.bias"]
        spans = weight_spans(projected)
        if self.distance is not None:
            inputs = inputs_of(projected, hidden, num_samples)
            pieces = [
                _trained(weight[span], bias[span], x, part, self.distance, self.precision)
                for span, x, part in zip(spans, inputs, projected, strict=True)
            ]
            self.trained["qkv.weight"] = torch.cat([piece[0] for piece in pieces])
            self.trained["qkv.bias"] = torch.cat([piece[1] for piece in pieces])
        if not wanted:
            return None
        backs = [
            rows_back(part, weight[span], self.precision)
            for span, part in zip(spans, projected, strict=True)
        ]
        return sum_of(backs, num_samples)

    def _move(self, name: str, gradient: Tensor) -> None:
        assert self.distance is not None
        self.trained[name] = moved(self.params[name], gradient, self.distance)


def _project(params: Params, hidden: Tensor, scored: int, heads: int) -> Heads:
    """Query of the first ``scored`` rows, key and value of all: each M Hd x rows x d."""
    width, weight, bias = hidden.shape[-1], params["qkv.weight"], params["qkv.bias"]
    if scored == hidden.shape[1]:
        parts = list(F.linear(hidden, weight, bias).chunk(3, -1))
    else:
        query = F.linear(hidden[:, :scored], weight[:width], bias[:width])
        parts = [query, *F.linear(hidden, weight[width:], bias[width:]).chunk(2, -1)]
    return Heads(*(split_heads(part, heads) for part in parts))


def _linear(params: Params, name: str, x: Tensor) -> Tensor:
    return F.linear(x, params[f"{name}.weight"], params[f"{name}.bias"])


def _normalise(x: Tensor, eps: float) -> Normed:
    rows, _, scale = torch.native_layer_norm(x, x.shape[-1:], None, None, eps)
    return Normed(rows, scale)


def _scale_shift(params: Params, name: str, rows: Tensor) -> Tensor:
    return torch.addcmul(params[f"{name}.bias"], rows, params[f"{name}.weight"])


def _trained(
    weight: Tensor,
    bias: Tensor,
    x: Tensor,
    cotangent: Tensor,
    distance: Distance,
    precision: Precision,
) -> tuple[Tensor, Tensor]:
    """Weight and bias plus ``distance`` times their gradients."""
    trained_bias = moved(bias, cotangent.sum(0), distance)
    if precision == "fp32":
        return moved_by_product(weight, cotangent.t(), x, distance), trained_bias
    gradient = rounded(cotangent, precision).t() @ rounded(x, precision)
    return moved(weight, gradient.to(weight), distance), trained_bias


def rounded(tensor: Tensor, precision: Precision) -> Tensor:
    """A tensor as a factor of a product in the backward pass."""
    return tensor if precision == "fp32" else tensor.to(low_dtype(precision))


def rows_back(cotangent: Tensor, weight: Tensor, precision: Precision) -> Tensor:
    """The gradient in the rows that a weight, out x in, was applied to."""
    return (rounded(cotangent, precision) @ rounded(weight, precision)).to(cotangent)
