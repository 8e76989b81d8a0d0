"""A transformer block by hand: the one of `learners.learner`, forward and back.

What autograd would keep in a graph is kept in two plain tuples (`block_values`), since the
derivatives along a direction (`block_push`, `block_pull`) need each of these values once more.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...learners.encoder import Params
from ...learners.precision import Precision, low_dtype
from .block_layout import (
    add_rows,
    inputs_of,
    join_parts,
    merge_heads,
    split_heads,
    sum_of,
    weight_spans,
)
from .block_values import Backward, Block, Cotangents, Forward, Narrow, Normed, Trace


def run_forward(
    block: Block,
    params: Params,
    hidden: Tensor,
    target: Tensor | None,
    narrow: Narrow | None = None,
) -> Forward:
    """Run a block on what enters it.

    Args:
        block, params, hidden: which one, its parameters by their names, and M x S x E.
        target: its attention labels, M x Hd x Q x S log-probabilities; None without.
        narrow: what is known from the same run before, if it is.
    """
    (num_samples, length, width), heads = hidden.shape, block.config.num_heads
    rows = 1 if block.passes_first else length
    scored = rows if target is None else max(rows, target.shape[-2])
    query, key, value = (split_heads(part, heads) for part in _project(params, hidden, scored))
    query = query * block.query_scale
    scores = torch.bmm(query, key.transpose(-1, -2))
    probabilities = scores.softmax(-1)
    context = merge_heads(torch.bmm(probabilities[:, :rows], value), heads).flatten(0, 1)
    if narrow:
        attention_norm = narrow.attention_norm
    else:
        out = _linear(params, "attention_out", context) + hidden[:, :rows].flatten(0, 1)
        attention_norm = _normalise(out, block.config.layer_norm_eps)
    attended = _scale_shift(params, "attention_norm", attention_norm.rows)
    up = _linear(params, "up", attended)
    if narrow:
        norm = narrow.norm
    else:
        out = _linear(params, "down", F.gelu(up)) + attended
        norm = _normalise(out, block.config.layer_norm_eps)
    passed = _scale_shift(params, "norm", norm.rows).view(num_samples, rows, width)
    weighted, divergence = _divergence(block, target, scores)
    trace = Trace(
        hidden.flatten(0, 1),
        query,
        key,
        value,
        probabilities,
        context,
        attention_norm,
        attended,
        up,
        norm,
        weighted,
    )
    return Forward(passed, divergence, trace)


def run_backward(
    block: Block,
    params: Params,
    trace: Trace,
    passed: Tensor,
    distance: float | None,
    wants_entered: bool,
    narrow: Narrow | None = None,
) -> Backward:
    """Run a block back.

    Args:
        block, params: as for `run_forward`.
        trace: of that run.
        passed: M x rows x E, gradient in what the block passed on.
        distance: how far along their gradients the parameters are moved, into new tensors; None
            leaves this out.
        wants_entered: whether the gradient in what entered is needed.
        narrow: what is known from the same run before, if it is; then ``distance`` must be None.
    """
    (num_samples, rows, _), heads = passed.shape, block.config.num_heads
    back = _Back(params, block.precision, distance, {})
    passed = passed.flatten(0, 1)
    down = back.norm("norm", trace.norm, passed)
    # Only a step of gradient descent needs the activation again.
    activation = None if distance is None else F.gelu(trace.up)
    inner = back.linear("down", activation, down)
    up = torch.ops.aten.gelu_backward(inner, trace.up)
    attended = narrow.attended if narrow else back.linear("up", trace.attended, up) + down
    attention_out = back.norm("attention_norm", trace.attention_norm, attended)
    if narrow:
        context = narrow.context
    else:
        merged = back.linear("attention_out", trace.context, attention_out)
        context = split_heads(torch.unflatten(merged, 0, (num_samples, rows)), heads)
    value, weights, scores = _attention_back(trace, context)
    key = torch.bmm(scores.transpose(-1, -2), trace.query)
    query = torch.bmm(scores, trace.key) * block.query_scale
    parts = [merge_heads(part, heads) for part in (query, key, value)]
    projected = join_parts(parts)
    entered = back.project(trace.hidden, projected, num_samples, wants_entered)
    if entered is not None:
        entered[:, :rows] += torch.unflatten(attention_out, 0, (num_samples, rows))
    cotangents = Cotangents(
        passed, down, inner, attended, attention_out, context, weights, scores, projected
    )
    return Backward(entered, cotangents, back.trained)


def _attention_back(trace: Trace, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients in value, in the probabilities less their mean under them, and in the scores."""
    probabilities = trace.probabilities[:, : context.shape[1]]
    value = torch.bmm(probabilities.transpose(-1, -2), context)
    weights = torch.bmm(context, trace.value.transpose(-1, -2))
    weights -= (probabilities * weights).sum(-1, keepdim=True)
    scores = probabilities * weights
    if trace.target is not None:
        own = trace.probabilities[:, : trace.target.shape[1]]
        own = own * trace.target.sum(-1, keepdim=True) - trace.target
        scores = add_rows(scores, own)
    return value, weights, scores


class _Back(NamedTuple):
    """The runs back of what has parameters."""

    params: Params
    precision: Precision
    distance: float | None
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
            moved = _moved(weight, bias, x, cotangent, self.distance, self.precision)
            self.trained[f"{name}.weight"], self.trained[f"{name}.bias"] = moved
        return rows_back(cotangent, self.params[f"{name}.weight"], self.precision)

    def project(
        self, hidden: Tensor, projected: tuple[Tensor, ...], num_samples: int, wanted: bool
    ) -> Tensor | None:
        weight, bias = self.params["qkv.weight"], self.params["qkv.bias"]
        spans = weight_spans(projected)
        if self.distance is not None:
            inputs = inputs_of(projected, hidden, num_samples)
            moved = [
                _moved(weight[span], bias[span], x, part, self.distance, self.precision)
                for span, x, part in zip(spans, inputs, projected, strict=True)
            ]
            self.trained["qkv.weight"] = torch.cat([piece[0] for piece in moved])
            self.trained["qkv.bias"] = torch.cat([piece[1] for piece in moved])
        if not wanted:
            return None
        backs = [
            rows_back(part, weight[span], self.precision)
            for span, part in zip(spans, projected, strict=True)
        ]
        return sum_of(backs, num_samples)

    def _move(self, name: str, gradient: Tensor) -> None:
        assert self.distance is not None
        self.trained[name] = torch.add(self.params[name], gradient, alpha=self.distance)


def _divergence(
    block: Block, target: Tensor | None, scores: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """e^t w of attention labels t, M Hd x Q x S, and the weighted divergence from them."""
    if target is None:
        return None, None
    target = target.flatten(0, 1)
    weighted = target.exp() * block.attention_weight
    return weighted, (weighted * (target - scores[:, : target.shape[1]].log_softmax(-1))).sum()


def _project(params: Params, hidden: Tensor, scored: int) -> list[Tensor]:
    """Query of the first ``scored`` rows, key and value of all: each M x rows x E."""
    width, weight, bias = hidden.shape[-1], params["qkv.weight"], params["qkv.bias"]
    if scored == hidden.shape[1]:
        return list(F.linear(hidden, weight, bias).chunk(3, -1))
    query = F.linear(hidden[:, :scored], weight[:width], bias[:width])
    return [query, *F.linear(hidden, weight[width:], bias[width:]).chunk(2, -1)]


def _linear(params: Params, name: str, x: Tensor) -> Tensor:
    return F.linear(x, params[f"{name}.weight"], params[f"{name}.bias"])


def _normalise(x: Tensor, eps: float) -> Normed:
    rows, _, scale = torch.native_layer_norm(x, x.shape[-1:], None, None, eps)
    return Normed(rows, scale)


def _scale_shift(params: Params, name: str, rows: Tensor) -> Tensor:
    return torch.addcmul(params[f"{name}.bias"], rows, params[f"{name}.weight"])


def _moved(
    weight: Tensor,
    bias: Tensor,
    x: Tensor,
    cotangent: Tensor,
    distance: float,
    precision: Precision,
) -> tuple[Tensor, Tensor]:
    """Weight and bias plus ``distance`` times their gradients."""
    moved_bias = torch.add(bias, cotangent.sum(0), alpha=distance)
    if precision == "fp32":
        return torch.addmm(weight, cotangent.t(), x, alpha=distance), moved_bias
    gradient = rounded(cotangent, precision).t() @ rounded(x, precision)
    return torch.add(weight, gradient.to(weight), alpha=distance), moved_bias


def rounded(tensor: Tensor, precision: Precision) -> Tensor:
    """As a factor of a product on the way back."""
    return tensor if precision == "fp32" else tensor.to(low_dtype(precision))


def rows_back(cotangent: Tensor, weight: Tensor, precision: Precision) -> Tensor:
    """The gradient in the rows that a weight, out x in, was applied to."""
    return (rounded(cotangent, precision) @ rounded(weight, precision)).to(cotangent)
