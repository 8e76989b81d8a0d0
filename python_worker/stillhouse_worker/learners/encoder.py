"""Pretrained BERT and DistilBERT encoders, opened at the entry of the first block.

The blocks run from a flat dictionary of tensors, one layout for both architectures, so that
their parameters can be passed as a function's argument. The embeddings are a module, since they
come before the entry point and get no inner gradient.
"""

import copy
from typing import Any, Literal, NamedTuple, cast, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .embeddings import Embeddings

Params = dict[str, Tensor]

# The input of a head: the last block's vector of the first token, or the mean over all tokens.
Pooling = Literal["first", "mean"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


class EncoderConfig(NamedTuple):
    """Sizes of an encoder, and its pooling."""

    num_layers: int
    num_heads: int
    width: int
    max_positions: int
    layer_norm_eps: float
    pooling: Pooling = "first"


class Encoder(NamedTuple):
    """A pretrained encoder.

    Attributes:
        config: its sizes.
        embeddings: in evaluation mode.
        blocks: parameters of all blocks, ``blocks.{i}.{name}.{weight|bias}``, fp32.
        tokenizer: its fast tokenizer, of ``transformers``.
    """

    config: EncoderConfig
    embeddings: Embeddings
    blocks: Params
    tokenizer: Any

    def embed(
        self, input_ids: Int[Tensor, "b s"], token_type_ids: Int[Tensor, "b s"]
    ) -> Float[Tensor, "b s e"]:
        """Vectors that enter the first block: after positions, LayerNorm and dropout."""
        return cast(Tensor, self.embeddings(input_ids, token_type_ids))

    def to(self, device: torch.device) -> "Encoder":
        """The same encoder with its tensors on ``device``."""
        return self._replace(
            embeddings=copy.deepcopy(self.embeddings).to(device),
            blocks={name: tensor.to(device) for name, tensor in self.blocks.items()},
        )
