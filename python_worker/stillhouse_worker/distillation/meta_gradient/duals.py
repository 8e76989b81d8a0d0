"""Values with their tangents along one direction, and the operations that a block is made of.

Each operation gives its value and the derivative of that along the direction; where its reverse
pass is needed, the same holds for the cotangents. So a reverse pass over duals is the derivative of
a reverse pass: forward mode over reverse mode, with no graph in between.

A value and its tangent lie in one tensor, so that what is linear is done to both at once, and a
product with a matrix is one of twice the rows.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...learners.precision import Precision, low_dtype

# 2 x ...: the value, then its tangent.
Dual = Tensor


class Parameter(NamedTuple):
    """A parameter and its tangent, which lie where they are."""

    value: Tensor
    tangent: Tensor

    def rows(self, start: int, end: int | None = None) -> "Parameter":
        """Some of its rows."""
        return Parameter(self.value[start:end], self.tangent[start:end])


def times(a: Dual, b: Dual | Parameter) -> Dual:
    """a * b, element by element, with broadcasting of b."""
    out = a * b[0]
    out[1].addcmul_(a[0], b[1])
    return out


def linear(x: Dual, weight: Parameter, bias: Parameter) -> Dual:
    """Rows times a weight, out x in, plus a bias: 2 x n x in -> 2 x n x out.

    Rows without a tangent, 1 x n x in, save a product.
    """
    if len(x) == 1:
        return torch.stack([F.linear(x[0], *parts) for parts in zip(weight, bias, strict=True)])
    out = _rows_times(x, weight.value.t(), weight.tangent.t())
    out[0] += bias.value
    out[1] += bias.tangent
    return out


def pull_linear(x: Dual, cotangent: Dual, weight: Parameter, precision: Precision) -> Dual:
    """The cotangent of the rows that `linear` was given.

    Where those had no tangent, only the tangent of their cotangent is of use: its value is 0.
    """
    cotangent, value, tangent = (_rounded(part, precision) for part in (cotangent, *weight))
    if len(x) == 2:
        return _rows_times(cotangent, value, tangent).to(x)
    out = (cotangent[1] @ value).addmm_(cotangent[0], tangent)
    return torch.stack([torch.zeros_like(out), out]).to(x)


def move_linear(
    weight: Parameter,
    bias: Parameter,
    x: Dual,
    cotangent: Dual,
    distance: float,
    precision: Precision,
) -> None:
    """Add ``distance`` times the tangents of their gradients to those of a weight and a bias.

    Args:
        weight, bias: of `linear`.
        x: the rows that it was given; 1 x n x in where they have no tangent.
        cotangent: of what it gave.
        distance, precision: of the product.
    """
    # Tangent times value plus value times tangent, in one product of twice the rows.
    crossed = _rounded(x.flip(0), precision).flatten(0, 1)
    rows = _rounded(cotangent[-len(x) :], precision).flatten(0, 1).t()
    if precision == "fp32":
        weight.tangent.addmm_(rows, crossed, alpha=distance)
    else:
        weight.tangent.add_(rows @ crossed, alpha=distance)
    bias.tangent.add_(cotangent[1].sum(0), alpha=distance)


def matmul(a: Dual, b: Dual) -> Dual:
    """Products of two stacks of matrices."""
    out = a.new_empty(2, a.shape[1], a.shape[2], b.shape[3])
    torch.bmm(a[0], b[0], out=out[0])
    torch.bmm(a[1], b[0], out=out[1])
    out[1].baddbmm_(a[0], b[1])
    return out


def softmax(scores: Dual) -> Dual:
    """Along the last dimension."""
    value = scores[0].softmax(-1)
    weighted = value * scores[1]
    tangent = torch.addcmul(weighted, value, weighted.sum(-1, keepdim=True), value=-1)
    return torch.stack([value, tangent])


def pull_softmax(probabilities: Dual, cotangent: Dual) -> Dual:
    """The cotangent of the scores."""
    mean = times(probabilities, cotangent).sum(-1, keepdim=True)
    return times(cotangent - mean, probabilities)


def gelu(x: Dual) -> tuple[Dual, Dual]:
    """The exact GELU; and its slope, by which a cotangent is pulled through it."""
    value, tangent = x
    factors = torch.empty_like(x)  # what value and tangent are multiplied by
    cumulative, slope = factors
    torch.mul(value, math.sqrt(0.5), out=cumulative).erf_().add_(1).mul_(0.5)
    square = value.square()
    density = square.mul(-0.5).exp_().mul_(1 / math.sqrt(2 * math.pi))
    torch.addcmul(cumulative, value, density, out=slope)
    curvature = square.neg_().add_(2).mul_(density)
    return x * factors, torch.stack([slope, curvature.mul_(tangent)])


class Normed(NamedTuple):
    """What `normalise` keeps: the normalised rows, and what they were multiplied by."""

    rows: Dual
    scale: Dual


def normalise(x: Dual, eps: float) -> Normed:
    """Rows with mean 0 and variance 1, as LayerNorm has them before its weight and bias."""
    centred = x - x.mean(-1, keepdim=True)
    scale = (centred[0].square().mean(-1, keepdim=True) + eps).rsqrt()
    rows = centred * scale
    drift = (rows[0] * rows[1]).mean(-1, keepdim=True)
    rows[1].addcmul_(rows[0], drift, value=-1)
    return Normed(rows, torch.stack([scale, -scale * drift]))


def pull_normalise(normed: Normed, cotangent: Dual) -> Dual:
    """The cotangent of what was normalised."""
    along = times(normed.rows, cotangent).mean(-1, keepdim=True)
    rest = cotangent - cotangent.mean(-1, keepdim=True) - times(normed.rows, along)
    return times(rest, normed.scale)


def _rows_times(x: Dual, matrix: Tensor, tangent: Tensor) -> Dual:
    """2 x n x k times a matrix, k x m, and its tangent."""
    num_rows = x.shape[1]
    out = x.flatten(0, 1) @ matrix
    out[num_rows:].addmm_(x[0], tangent)
    return torch.unflatten(out, 0, (2, num_rows))


def _rounded(tensor: Tensor, precision: Precision) -> Tensor:
    return tensor if precision == "fp32" else tensor.to(low_dtype(precision))
