"""Pretrained encoders, opened at the entry of the first block.

The blocks run from a flat dictionary of tensors, so that their parameters can be passed as a
function's argument: those of BERT and DistilBERT by `transformer`, in one layout, those of other
architectures by the library's own code. The embeddings are a module, since they come before the
entry point and get no inner gradient.
"""

import copy
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .dropout import Dropout
from .embeddings import Embeddings
from .encoder_config import EncoderConfig
from .head import HeadInit, draw_head
from .interface import AttentionSizes, Derivatives, Output, Params, ScoreRows
from .library_layers import LibraryEmbeddings, LibraryLayers
from .precision import Precision
from .transformer import Attention, first_order_attention, forward, pool, pooled_output, run_head


class Encoder(NamedTuple):
    """A pretrained encoder, which with a head makes a learner; see `Learner`.

    Attributes:
        config: its sizes.
        embeddings: in evaluation mode.
        blocks: parameters of all blocks, fp32: ``blocks.{i}.{name}.{weight|bias}``, or as
            `layer_params` gives them.
        tokenizer: its fast tokenizer, of ``transformers``.
        library: what runs the blocks, unless they are those of BERT and DistilBERT.
    """

    config: EncoderConfig
    embeddings: Embeddings | LibraryEmbeddings
    blocks: Params
    tokenizer: Any
    library: LibraryLayers | None = None

    @property
    def front(self) -> nn.Module:
        """The embeddings."""
        return self.embeddings

    @property
    def attention(self) -> AttentionSizes:
        """Those of the blocks."""
        return AttentionSizes(self.config.num_layers, self.config.num_heads)

    @property
    def has_dropout(self) -> bool:
        """The head has it, in any case."""
        return True

    def entry_shape(self, length: int) -> tuple[int, ...]:
        """S x E, or x the width of narrower embeddings."""
        return (length, self.config.entry_width)

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
        dropout: Dropout | None = None,
        backward: Precision = "fp32",
    ) -> Output:
        """See `Learner`."""
        if self.library is None:
            return forward(
                self.config,
                theta,
                entry,
                mask,
                attention=_attention(derivatives, dropout, entry.device),
                score_rows=score_rows,
                dropout=dropout,
                backward=backward,
            )
        hidden, scores, firsts = self.library.run(
            theta, entry, mask, is_scored=derivatives == 2, dropout=dropout, backward=backward
        )
        return Output(run_head(theta, pool(self.config, hidden, mask), dropout), scores, firsts)

    def pooled(
        self, entry: Float[Tensor, "b s entry"], mask: Bool[Tensor, "b s"]
    ) -> Float[Tensor, "b e"]:
        """The pretrained encoder's input to a head, once differentiable in its blocks."""
        if self.library is None:
            attention = first_order_attention(entry.device)
            return pooled_output(self.config, self.blocks, entry, mask, attention)
        hidden = self.library.run(self.blocks, entry, mask, is_scored=False).hidden
        return pool(self.config, hidden, mask)

    def to(self, device: torch.device) -> "Encoder":
        """The same encoder with its tensors on ``device``."""
        return self._replace(
            embeddings=copy.deepcopy(self.embeddings).to(device),
            blocks={name: tensor.to(device) for name, tensor in self.blocks.items()},
            library=self.library and self.library.to(device),
        )


def _attention(
    derivatives: Derivatives, dropout: Dropout | None, device: torch.device
) -> Attention:
    """The fused kernel draws masks of its own."""
    is_explicit = derivatives == 2 or (dropout is not None and dropout.seed is not None)
    return "explicit" if is_explicit else first_order_attention(device)


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
