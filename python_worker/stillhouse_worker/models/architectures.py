"""The supported architectures, and the names in the files of the two with blocks of our own."""

from collections.abc import Mapping
from typing import NamedTuple

from .library import LIBRARY

# Two names of the exact GELU, which the blocks compute and differentiate by hand.
ACTIVATIONS = ("gelu", "gelu_python")


class Architecture(NamedTuple):
    """Names in config.json and in the weights of one architecture.

    A setting is a key in config.json and its default.

    Attributes:
        num_layers, num_heads, width, max_positions, feed_forward: settings, sizes of the encoder.
        activation: key of the activation of the feed-forward part.
        norm_eps: setting of what LayerNorm adds to a variance; None where it is always 1e-12.
        layers: first part of the names of a block's tensors.
        block: our name within a block -> the names whose tensors are stacked along dimension 0.
        has_token_types: whether an embedding distinguishes the two texts of a pair.
    """

    num_layers: tuple[str, int]
    num_heads: tuple[str, int]
    width: tuple[str, int]
    max_positions: tuple[str, int]
    feed_forward: tuple[str, int]
    activation: str
    norm_eps: tuple[str, float] | None
    layers: str
    block: Mapping[str, tuple[str, ...]]
    has_token_types: bool


BERT = Architecture(
    num_layers=("num_hidden_layers", 12),
    num_heads=("num_attention_heads", 12),
    width=("hidden_size", 768),
    max_positions=("max_position_embeddings", 512),
    feed_forward=("intermediate_size", 3072),
    activation="hidden_act",
    norm_eps=("layer_norm_eps", 1e-12),
    layers="encoder.layer",
    block={
        "qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
        "attention_out": ("attention.output.dense",),
        "attention_norm": ("attention.output.LayerNorm",),
        "up": ("intermediate.dense",),
        "down": ("output.dense",),
        "norm": ("output.LayerNorm",),
    },
    has_token_types=True,
)
DISTILBERT = Architecture(
    num_layers=("n_layers", 6),
    num_heads=("n_heads", 12),
    width=("dim", 768),
    max_positions=("max_position_embeddings", 512),
    feed_forward=("hidden_dim", 3072),
    activation="activation",
    norm_eps=None,
    layers="transformer.layer",
    block={
        "qkv": ("attention.q_lin", "attention.k_lin", "attention.v_lin"),
        "attention_out": ("attention.out_lin",),
        "attention_norm": ("sa_layer_norm",),
        "up": ("ffn.lin1",),
        "down": ("ffn.lin2",),
        "norm": ("output_layer_norm",),
    },
    has_token_types=False,
)

# By model_type in config.json.
ARCHITECTURES: Mapping[str, Architecture] = {"bert": BERT, "distilbert": DISTILBERT}
SUPPORTED = (*ARCHITECTURES, *LIBRARY)

_DECODER = "it is a decoder, whose tokens see only those before them"
_HALF = "it is an encoder with a decoder"
_SPARSE = "its attention is sparse, so there are no scores of every token for every other"
_WHY_NOT: Mapping[str, str] = {
    **dict.fromkeys(("bloom", "falcon", "gemma", "gpt2", "gpt_neo", "gpt_neox"), _DECODER),
    **dict.fromkeys(("llama", "mistral", "opt", "phi", "qwen2", "qwen3", "xlnet"), _DECODER),
    **dict.fromkeys(("bart", "mbart", "mt5", "pegasus", "t5"), _HALF),
    **dict.fromkeys(("big_bird", "longformer", "reformer"), _SPARSE),
    "fnet": "it has no attention",
    "funnel": "its later layers have fewer tokens than enter the first",
    "nomic_bert": "its code comes with the model, and no code of a model is run",
}


def why_not(architecture: object) -> str:
    """Why an architecture is not supported, as a clause; empty where it was only never tried."""
    reason = _WHY_NOT.get(architecture) if isinstance(architecture, str) else None
    return f", which cannot be used: {reason}" if reason else ""
