"""Encoders with random weights in the shapes of known ones: speed and memory need no others."""

from typing import NamedTuple

import torch

from stillhouse_worker.learners.embeddings import Embeddings
from stillhouse_worker.learners.encoder import Encoder
from stillhouse_worker.learners.encoder_config import EncoderConfig
from stillhouse_worker.learners.interface import Params

_EPS = 1e-12
# The standard deviation that BERT itself starts from.
_STD = 0.02


class Shape(NamedTuple):
    """Sizes of an encoder; the feed-forward part is ``expansion`` times as wide as its blocks."""

    num_layers: int
    num_heads: int
    width: int
    num_tokens: int
    max_positions: int
    has_token_types: bool
    std: float = _STD
    expansion: int = 4


DISTILBERT = Shape(6, 12, 768, 30_522, 512, False)
MINILM = Shape(6, 12, 384, 30_522, 512, True)
# Weights so large that attention and classes depend on the texts.
TINY = Shape(2, 2, 16, 32, 32, True, std=0.3, expansion=2)


def random_encoder(shape: Shape, device: torch.device) -> Encoder:
    """An encoder without a tokenizer; the same weights on every device."""
    draws = torch.Generator().manual_seed(0)
    sizes = (shape.num_layers, shape.num_heads, shape.width, shape.max_positions)
    blocks: Params = {}
    for index in range(shape.num_layers):
        named = _block(shape, draws)
        blocks |= {f"blocks.{index}.{name}": tensor for name, tensor in named.items()}
    embeddings = Embeddings(_embeddings(shape, draws), _EPS).eval()
    return Encoder(EncoderConfig(*sizes, layer_norm_eps=_EPS), embeddings, blocks, None).to(device)


def _block(shape: Shape, draws: torch.Generator) -> Params:
    width, inner = shape.width, shape.expansion * shape.width
    linear = {
        "qkv": (3 * width, width),
        "attention_out": (width, width),
        "up": (inner, width),
        "down": (width, inner),
    }
    block: Params = {}
    for name, size in linear.items():
        block[f"{name}.weight"] = _drawn(size, shape.std, draws)
        block[f"{name}.bias"] = _drawn(size[:1], shape.std, draws)
    for name in ("attention_norm", "norm"):
        block |= {f"{name}.weight": torch.ones(width), f"{name}.bias": torch.zeros(width)}
    return block


def _embeddings(shape: Shape, draws: torch.Generator) -> Params:
    counts = {"word": shape.num_tokens, "position": shape.max_positions}
    if shape.has_token_types:
        counts["token_type"] = 2
    tables = {
        f"{name}_embeddings.weight": _drawn((count, shape.width), shape.std, draws)
        for name, count in counts.items()
    }
    norm = {"LayerNorm.weight": torch.ones(shape.width), "LayerNorm.bias": torch.zeros(shape.width)}
    return {**tables, **norm}


def _drawn(size: tuple[int, ...], std: float, draws: torch.Generator) -> torch.Tensor:
    return torch.randn(size, generator=draws) * std
