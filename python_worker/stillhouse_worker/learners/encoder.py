"""Pretrained BERT and DistilBERT encoders, opened at the entry of the first block.

The blocks run from a flat dictionary of tensors, one layout for both architectures, so that
their parameters can be passed as a function's argument. The embeddings are a module, since they
come before the entry point and get no inner gradient.
"""

import copy
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .embeddings import Embeddings
from .encoder_config import EncoderConfig
from .head import HeadInit, draw_head
from .interface import AttentionSizes, Derivatives, Output, Params, ScoreRows
from .precision import Precision
from .transformer import Attention, first_order_attention, forward, pooled_output


class Encoder(NamedTuple):
    """A pretrained encoder, which with a head makes a learner; see `Learner`.

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

    @property
    def front(self) -> nn.Module:
        """The embeddings."""
        return self.embeddings

    @property
    def attention(self) -> AttentionSizes:
        """Those of the blocks."""
        return AttentionSizes(self.config.num_layers, self.config.num_heads)

    def entry_shape(self, length: int) -> tuple[int, ...]:
        """S x E."""
        return (length, self.config.width)

    def embed(self, *inputs: Int[Tensor, "b s"]) -> Float[Tensor, "b s e"]:
        """Vectors that enter the first block: after positions, LayerNorm and dropout.

        Args:
            inputs: token ids, and the ids of their types.
        """
        return cast(Tensor, self.embeddings(*inputs))

    def draw(self, num_classes: int, init: HeadInit, generator: torch.Generator) -> Params:
        """The pretrained blocks and a head that is drawn."""
        return learner_params(self, draw_head(self.config.width, num_classes, init, generator))

    def forward(
        self,
        theta: Params,
        entry: Float[Tensor, "b s e"],
        mask: Bool[Tensor, "b s"] | None = None,
        *,
        derivatives: Derivatives = 2,
        score_rows: ScoreRows = "first",
        dropout: float = 0.0,
        backward: Precision = "fp32",
    ) -> Output:
        """See `Learner`."""
        return forward(
            self.config,
            theta,
            entry,
            mask,
            attention=_attention(derivatives, entry.device),
            score_rows=score_rows,
            dropout=dropout,
            backward=backward,
        )

    def pooled(
        self, entry: Float[Tensor, "b s e"], mask: Bool[Tensor, "b s"]
    ) -> Float[Tensor, "b e"]:
        """The pretrained encoder's input to a head, once differentiable in its blocks."""
        attention = first_order_attention(entry.device)
        return pooled_output(self.config, self.blocks, entry, mask, attention)

    def to(self, device: torch.device) -> "Encoder":
        """The same encoder with its tensors on ``device``."""
        return self._replace(
            embeddings=copy.deepcopy(self.embeddings).to(device),
            blocks={name: tensor.to(device) for name, tensor in self.blocks.items()},
        )


def _attention(derivatives: Derivatives, device: torch.device) -> Attention:
    return first_order_attention(device) if derivatives == 1 else "explicit"


def learner_params(encoder: Encoder, head: Params) -> Params:
    """theta: the parameters of all blocks and of the head, on the encoder's device."""
    device = next(iter(encoder.blocks.values())).device
    return {**encoder.blocks, **{name: tensor.to(device) for name, tensor in head.items()}}


@torch.no_grad()
def features(
    encoder: Encoder,
    input_ids: Int[Tensor, "b s"],
    token_type_ids: Int[Tensor, "b s"],
    mask: Bool[Tensor, "b s"],
) -> Float[Tensor, "b e"]:
    """The pretrained encoder's input to a head; see `pool`."""
    return encoder.pooled(encoder.embed(input_ids, token_type_ids), mask)
