"""The sizes of an encoder, and what it hands to a head."""

from typing import Literal, NamedTuple, get_args

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
