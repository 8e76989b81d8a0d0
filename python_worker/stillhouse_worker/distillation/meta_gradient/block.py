"""A transformer block by hand: the one of `learners.learner`, forward and back.

What autograd would keep in a graph is kept in two plain tuples, since the derivatives along a
direction (`block_tangents`) need each of these values once more.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...learners.encoder import EncoderConfig, Params
from ...learners.precision import Precision, low_dtype


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

    @property
    def query_scale(self) -> float:
        """What queries are multiplied by."""
        return (self.config.width // self.config.num_heads) ** -0.5


class Normed(NamedTuple):
    """Rows with mean 0 and variance 1, and what they were multiplied by for it."""

    rows: Tensor
    scale: Tensor


class Trace(NamedTuple):
    """The values of a forward run. Rows are those that a part of the block computes.

    Attributes:
        hidden: M S x E, what entered.
        query, key, value: M Hd x rows x d; the query is scaled.
        probabilities: M Hd x rows x S.
        context: M rows x E, what the heads pass on.
        attention_norm, norm: the two normalisations.
        attended: M rows x E, what the feed-forward part starts from.
        up: M rows x F, before the activation.
        labels: weighted attention labels, M Hd x rows x S; None without.
    """

    hidden: Tensor
    query: Tensor
    key: Tensor
    value: Tensor
    probabilities: Tensor
    context: Tensor
    attention_norm: Normed
    attended: Tensor
    up: Tensor
    norm: Normed
    labels: Tensor | None


class Cotangents(NamedTuple):
    """The values of a run back: the gradient of the loss in each value of the block.

    Attributes:
        passed: M rows x E, in what the block passed on.
        down: M rows x E, in what entered the second normalisation.
        inner: M rows x F, in the activation.
        attended: M rows x E, in what the feed-forward part starts from.
        attention_out: M rows x E, in what entered the first normalisation.
        context: M Hd x rows x d.
        weights: M Hd x rows x S, in the probabilities, less its mean under them.
        scores: M Hd x rows x S.
        projected: in query, key and value: all three, M S x 3E, or where there are fewer queries,
            query, M rows x E, and the other two, M S x 2E.
    """

    passed: Tensor
    down: Tensor
    inner: Tensor
    attended: Tensor
    attention_out: Tensor
    context: Tensor
    weights: Tensor
    scores: Tensor
    projected: tuple[Tensor, ...]


class Narrow(NamedTuple):
    """The values as narrow as what a block passes on that cost a product with a weight each.

    Who keeps these computes half of the others again; they take a fifth of the memory of all.

    Attributes:
        attention_norm, norm: of `Trace`.
        passed, attended, context: of `Cotangents`.
    """

    attention_norm: Normed
    norm: Normed
    passed: Tensor
    attended: Tensor
    context: Tensor

    @classmethod
    def of(cls, trace: Trace, cotangents: Cotangents) -> "Narrow":
        """Those among all values of a run forward and back."""
        return cls(
            trace.attention_norm,
            trace.norm,
            cotangents.passed,
            cotangents.attended,
            cotangents.context,
        )


class Forward(NamedTuple):
    """What a forward run gives.

    Attributes:
        passed: M x rows x E, what the block passes on.
        divergence: weighted, of its attention from the labels; a scalar, None without labels.
        trace: see there.
    """

    passed: Tensor
    divergence: Tensor | None
    trace: Trace


class Backward(NamedTuple):
    """What a run back gives.

    Attributes:
        entered: M x S x E, gradient in what entered the block; None when not wanted.
        cotangents: see there.
        trained: the parameters after a step of gradient descent; empty when not wanted.
    """

    entered: Tensor | None
    cotangents: Cotangents
    trained: Params


def narrow_numel(block: Block, hidden: Tensor) -> int:
    """Elements of `Narrow`, but for the scales."""
    num_samples, length, width = hidden.shape
    return 5 * num_samples * (1 if block.is_last else length) * width


def kept_numel(block: Block, params: Params, hidden: Tensor, target: Tensor | None) -> int:
    """Elements of `Trace` and `Cotangents`, but for the scales; arguments of `run_forward`."""
    num_samples, length, width = hidden.shape
    rows = 1 if block.is_last else length
    scored = length if target is not None and target.dim() == 4 else rows
    expanded = 2 * rows * len(params["up.bias"])
    others = (9 * rows + 2 * scored + 5 * length) * width
    attention = block.config.num_heads * (rows + 2 * scored) * length
    labels = 0 if target is None else target.numel()
    return num_samples * (expanded + others + attention) + labels


def run_forward(
    block: Block,
    params: Params,
    hidden: Tensor,
    target: Tensor | None,
    narrow: Narrow | None = None,
) -> Forward:
    """Run a block.

    Args:
        block: which one.
        params: its parameters by their names within it.
        hidden: M x S x E, what enters.
        target: log-probabilities, M x Hd x S (cls) or M x Hd x S x S (all); None without.
        narrow: what is known from the same run before, if it is.
    """
    (num_samples, length, width), heads = hidden.shape, block.config.num_heads
    rows = 1 if block.is_last else length
    scored = length if target is not None and target.dim() == 4 else rows
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
    labels = divergence = None
    if target is not None:
        target = target.reshape(num_samples * heads, -1, length)
        labels = target.exp() * block.attention_weight
        divergence = (labels * (target - scores[:, : target.shape[1]].log_softmax(-1))).sum()
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
        labels,
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
    probabilities = trace.probabilities[:, :rows]
    value = torch.bmm(probabilities.transpose(-1, -2), context)
    weights = torch.bmm(context, trace.value.transpose(-1, -2))
    weights -= (probabilities * weights).sum(-1, keepdim=True)
    scores = probabilities * weights
    if trace.labels is not None:
        own = trace.probabilities[:, : trace.labels.shape[1]]
        own = own * trace.labels.sum(-1, keepdim=True) - trace.labels
        scores = add_rows(scores, own)
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


def split_heads(x: Tensor, heads: int) -> Tensor:
    """M x rows x E -> M Hd x rows x d."""
    split = x.reshape(*x.shape[:2], heads, x.shape[-1] // heads)
    return split.transpose(1, 2).flatten(0, 1)


def merge_heads(x: Tensor, heads: int) -> Tensor:
    """M Hd x rows x d -> M x rows x E."""
    return torch.unflatten(x, 0, (-1, heads)).transpose(1, 2).flatten(2)


def add_rows(left: Tensor, right: Tensor) -> Tensor:
    """The sum of two stacks of matrices of which one has only the first rows."""
    few, many = (left, right) if left.shape[1] < right.shape[1] else (right, left)
    many[:, : few.shape[1]] += few
    return many


def join_parts(parts: list[Tensor]) -> tuple[Tensor, ...]:
    """Of query, key and value, M x rows x E, those that have equal rows side by side."""
    query, *others = (part.flatten(0, 1) for part in parts)
    if len(query) == len(others[0]):
        return (torch.cat([query, *others], -1),)
    return query, torch.cat(others, -1)


def weight_spans(projected: tuple[Tensor, ...]) -> list[slice]:
    """The rows of the weight that made each part of `join_parts`."""
    first = projected[0].shape[-1]
    return [slice(0, first), slice(first, None)][: len(projected)]


def inputs_of(projected: tuple[Tensor, ...], hidden: Tensor, num_samples: int) -> list[Tensor]:
    """The rows that each part of `join_parts` was made from, of M S x E."""
    if len(projected) == 1:
        return [hidden]
    rows = len(projected[0]) // num_samples
    return [first_rows(hidden, num_samples, rows), hidden]


def first_rows(x: Tensor, num_samples: int, rows: int) -> Tensor:
    """M S x E -> M rows x E."""
    return torch.unflatten(x, 0, (num_samples, -1))[:, :rows].flatten(0, 1)


def sum_of(backs: list[Tensor], num_samples: int) -> Tensor:
    """M x S x E from what came back through each part of `join_parts`."""
    *queries, total = (torch.unflatten(back, 0, (num_samples, -1)) for back in backs)
    for query in queries:
        total[:, : query.shape[1]] += query
    return total
