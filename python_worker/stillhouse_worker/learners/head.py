"""The head: Linear(E, E), Tanh, Linear(E, C) over the pooled output of the encoder."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor

HeadInit = Literal["default", "normal"]
HEAD_INITS: tuple[HeadInit, ...] = get_args(HeadInit)

# Standard deviation of the "normal" initialisation, that of BERT's own pretraining.
_NORMAL_STD = 0.02


def draw_head(
    width: int, num_classes: int, init: HeadInit, generator: torch.Generator
) -> dict[str, Tensor]:
    """Draw both linear layers anew.

    Args:
        width: E.
        num_classes: C.
        init: ``default`` is PyTorch's initialisation of ``nn.Linear``, U(-1/sqrt(E), 1/sqrt(E))
            for weight and bias; ``normal`` is N(0, 0.02) with zero bias.
        generator: a CPU generator, so that a seed gives the same head on every device.

    Returns:
        ``head.dense.*`` of shapes (E, E) and (E,), ``head.out.*`` of shapes (C, E) and (C,).
    """
    shapes = {"head.dense": (width, width), "head.out": (num_classes, width)}
    head: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        head[f"{name}.weight"] = torch.empty(shape)
        head[f"{name}.bias"] = torch.zeros(shape[0])
        if init == "normal":
            head[f"{name}.weight"].normal_(0.0, _NORMAL_STD, generator=generator)
        else:
            bound = 1.0 / math.sqrt(width)
            head[f"{name}.weight"].uniform_(-bound, bound, generator=generator)
            head[f"{name}.bias"].uniform_(-bound, bound, generator=generator)
    return head
