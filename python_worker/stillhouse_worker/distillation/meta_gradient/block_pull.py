"""Forward mode over a block's backward pass: the tangent of a gradient."""

from typing import NamedTuple

import torch
from torch import Tensor

from .block import rounded
from .block_gelu import pull_gelu, push_gelu
from .block_heads import pull_heads
from .block_layout import (
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
    # Only the tangents of the weights need the activation again.
    inner = None if distance is None else push_gelu(trace.up, tangents.up)
    inner_rf = back.linear(
        "down",
        inner and inner.value,
        inner and inner.tangent,
        trace.down_left(cotangents.down),
        trace.down_left(out_re),
    )
    up = pull_gelu(trace.up, tangents.up, cotangents.inner, inner_rf)
    del inner, inner_rf
    out_re = back.linear("up", trace.attended, tangents.attended, *up).add_(out_re)
    del up
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
    query_hqd, *others = pull_heads(
        block,
        trace.heads,
        tangents.heads,
        trace.labelled._replace(moved=tangents.target),
        cotangents.context,
        context_hqd,
    )
    query_hqd *= block.query_scale
    projected = join_parts([merge_heads(part, heads) for part in (query_hqd, *others)])
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
        self,
        name: str,
        x: Tensor | None,
        tangent: Tensor | None,
        value: Tensor,
        cotangent: Tensor,
    ) -> Tensor:
        """Args: the rows and their tangent, if they are needed; the cotangent and its tangent."""
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
        x: Tensor | None,
        tangent: Tensor | None,
        value: Tensor,
        cotangent: Tensor,
    ) -> Tensor:
        precision = self.block.precision
        low, low_value = rounded(cotangent, precision), rounded(value, precision)
        pulled = low @ rounded(weight.value, precision)
        pulled = pulled.addmm_(low_value, rounded(weight.tangent, precision)).to(cotangent)
        if self.distance is not None:
            for rows, inputs in ((low, x), (low_value, tangent)):
                if inputs is not None:
                    self._move(weight.tangent, rows, rounded(inputs, precision))
            move(bias.tangent, cotangent.sum(0), self.distance)
        return pulled

    def _move(self, tensor: Tensor, rows: Tensor, inputs: Tensor) -> None:
        assert self.distance is not None
        if self.block.precision == "fp32":
            move_by_product(tensor, rows.t(), inputs, self.distance)
        else:
            move(tensor, rows.t() @ inputs, self.distance)
