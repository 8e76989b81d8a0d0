"""The sizes of an encoder, and what it hands to a head."""

from typing import Literal, NamedTuple, get_args

# The input of a head: the last block's vector of the first token, or the mean over all tokens.
Pooling = Literal["first", "mean"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


class EncoderConfig(NamedTuple):
    """Sizes of an encoder, and its pooling.

    Attributes:
        embedding_width: where the first layer widens what enters it: the width before; else 0.
    """

    num_layers: int
    num_heads: int
    width: int
    max_positions: int
    layer_norm_eps: float
    pooling: Pooling = "first"
    embedding_width: int = 0

    @property
    def entry_width(self) -> int:
        """Numbers per token of what enters."""
        return self.embedding_width or self.width
