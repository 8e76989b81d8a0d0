"""The first weights of networks, drawn from a generator alone."""

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

# Xavier's normal or uniform distribution (Glorot and Bengio, 2010) with zero biases; PyTorch's own
# of linear layers and convolutions, U(-1/sqrt(n), 1/sqrt(n)) of n inputs, biases too; N(0, 0.02)
# with zero biases.
Drawing = Literal["xavier", "xavier_uniform", "uniform", "normal"]

_NORMAL_STD = 0.02


def draw_weights(
    shapes: Mapping[str, torch.Size], drawing: Drawing, generator: torch.Generator
) -> dict[str, Tensor]:
    """A tensor of each shape, in their order; the weight of a norm is one.

    Args:
        shapes: by the names of the parameters: ``….weight`` and ``….bias`` of a layer, or names
            that start so.
        drawing: see `Drawing`.
        generator: a CPU generator, so that a seed draws the same on every device.
    """
    return {name: _drawn(name, shapes, drawing, generator) for name in shapes}


def _drawn(
    name: str, shapes: Mapping[str, torch.Size], drawing: Drawing, generator: torch.Generator
) -> Tensor:
    shape, is_bias = shapes[name], "bias" in name.rpartition(".")[2]
    if len(shape) == 1 and not is_bias:
        return torch.ones(shape)
    tensor = torch.zeros(shape)
    if drawing == "uniform":
        weight = shapes[name.removesuffix("bias") + "weight"] if is_bias else shape
        bound = 1 / math.sqrt(weight[1:].numel())
        return tensor.uniform_(-bound, bound, generator=generator)
    if is_bias:
        return tensor
    if drawing == "normal":
        return tensor.normal_(0.0, _NORMAL_STD, generator=generator)
    if drawing == "xavier_uniform":
        return nn.init.xavier_uniform_(tensor, generator=generator)
    return nn.init.xavier_normal_(tensor, generator=generator)
