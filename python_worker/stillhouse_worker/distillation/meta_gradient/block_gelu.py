"""The exact GELU and its derivatives along a direction, a few rows at a time; see `block_tiles`."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .block_tiles import in_tiles


class PushedGelu(NamedTuple):
    """The activation and its tangent, each M rows x F."""

    value: Tensor
    tangent: Tensor


class PulledGelu(NamedTuple):
    """The gradient in what entered, and its tangent, each M rows x F."""

    value: Tensor
    tangent: Tensor


def push_gelu(x: Tensor, tangent: Tensor) -> PushedGelu:
    """Of what enters and its tangent, M rows x F."""
    return in_tiles(_push, x.shape[1], x, tangent)


def pull_gelu(x: Tensor, tangent: Tensor, back: Tensor, back_tangent: Tensor) -> PulledGelu:
    """Of the same and of the gradient in the activation and its tangent."""
    return in_tiles(_pull, x.shape[1], x, tangent, back, back_tangent)


def _push(x: Tensor, tangent: Tensor) -> PushedGelu:
    cumulative = _cumulative(x)
    slope = torch.addcmul(cumulative, x, _density(x.square()))
    return PushedGelu(cumulative.mul_(x), slope.mul_(tangent))


def _pull(x: Tensor, tangent: Tensor, back: Tensor, back_tangent: Tensor) -> PulledGelu:
    square = x.square()
    density = _density(square)
    slope = _cumulative(x).addcmul_(x, density)
    curvature = square.neg_().add_(2).mul_(density).mul_(tangent)
    moved = curvature.mul_(back).addcmul_(back_tangent, slope)
    return PulledGelu(slope.mul_(back), moved)


def _cumulative(x: Tensor) -> Tensor:
    return (x * math.sqrt(0.5)).erf_().add_(1).mul_(0.5)


def _density(square: Tensor) -> Tensor:
    return square.mul(-0.5).exp_().mul_(1 / math.sqrt(2 * math.pi))
