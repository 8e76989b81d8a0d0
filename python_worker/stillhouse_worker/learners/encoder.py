"""Pretrained BERT and DistilBERT encoders, opened at the entry of the first block.

The blocks run from a flat dictionary of tensors, one layout for both architectures, so that
their parameters can be passed as a function's argument. The embeddings stay transformers' own
module: they lie before the entry point and get no inner gradient.
"""

import copy
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..errors import StillhouseError
from .pretrained import open_pretrained

Params = dict[str, Tensor]

# What a head is given: the last block's vector of the first token, or the mean of those of all.
Pooling = Literal["first", "mean"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

# Our name within a block -> the names whose tensors are stacked along dimension 0.
BERT_BLOCK = {
    "qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention_out": ("attention.output.dense",),
    "attention_norm": ("attention.output.LayerNorm",),
    "up": ("intermediate.dense",),
    "down": ("output.dense",),
    "norm": ("output.LayerNorm",),
}
DISTILBERT_BLOCK = {
    "qkv": ("attention.q_lin", "attention.k_lin", "attention.v_lin"),
    "attention_out": ("attention.out_lin",),
    "attention_norm": ("sa_layer_norm",),
    "up": ("ffn.lin1",),
    "down": ("ffn.lin2",),
    "norm": ("output_layer_norm",),
}


# Two names of the exact GELU, which the blocks compute and differentiate by hand.
ACTIVATIONS = ("gelu", "gelu_python")


class EncoderConfig(NamedTuple):
    """Sizes of an encoder, and what it hands to a head."""

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
        embeddings: transformers' embedding module, in evaluation mode.
        blocks: parameters of all blocks, ``blocks.{i}.{name}.{weight|bias}``, fp32.
        tokenizer: its fast tokenizer.
    """

    config: EncoderConfig
    embeddings: nn.Module
    blocks: Params
    tokenizer: Any

    def embed(
        self, input_ids: Int[Tensor, "b s"], token_type_ids: Int[Tensor, "b s"]
    ) -> Float[Tensor, "b s e"]:
        """Vectors that enter the first block: after positions, LayerNorm and dropout."""
        if hasattr(self.embeddings, "token_type_embeddings"):
            return self.embeddings(input_ids=input_ids, token_type_ids=token_type_ids)
        return self.embeddings(input_ids=input_ids)

    def to(self, device: torch.device) -> "Encoder":
        """The same encoder with its tensors on ``device``."""
        return self._replace(
            embeddings=copy.deepcopy(self.embeddings).to(device),
            blocks={name: tensor.to(device) for name, tensor in self.blocks.items()},
        )


def load_encoder(path_or_id: str, pooling: Pooling = "first") -> Encoder:
    """Load a BERT or DistilBERT encoder in fp32 on the CPU.

    Args:
        path_or_id: a folder in the hub's format or a repository of the hub.
        pooling: what a head is given.

    Raises:
        StillhouseError: ``invalid`` when it is no encoder of a supported kind.
    """
    try:
        model, tokenizer = open_pretrained(path_or_id)
    except (OSError, ValueError) as error:
        raise _not_a_model(path_or_id, str(error).splitlines()[0]) from error
    return encoder_of(model, tokenizer, pooling)


def encoder_of(model: Any, tokenizer: Any, pooling: Pooling = "first") -> Encoder:
    """The encoder inside a transformers ``BertModel`` or ``DistilBertModel``."""
    hf_config = model.config
    if hf_config.model_type == "bert":
        layers, names = model.encoder.layer, BERT_BLOCK
        activation, eps = hf_config.hidden_act, hf_config.layer_norm_eps
    elif hf_config.model_type == "distilbert":
        layers, names = model.transformer.layer, DISTILBERT_BLOCK
        activation, eps = hf_config.activation, 1e-12
    else:
        raise _not_a_model(hf_config.name_or_path, f"it is a {hf_config.model_type} model")
    if activation not in ACTIVATIONS:
        raise _not_a_model(hf_config.name_or_path, f"its activation is {activation}, not gelu")
    if getattr(hf_config, "is_decoder", False) or getattr(hf_config, "add_cross_attention", False):
        raise _not_a_model(hf_config.name_or_path, "it is a decoder or has cross attention")
    config = EncoderConfig(
        num_layers=len(layers),
        num_heads=hf_config.num_attention_heads,
        width=hf_config.hidden_size,
        max_positions=hf_config.max_position_embeddings,
        layer_norm_eps=eps,
        pooling=pooling,
    )
    model.embeddings.requires_grad_(False)
    return Encoder(config, model.embeddings, _blocks(layers, names), tokenizer)


def _blocks(layers: Any, names: dict[str, tuple[str, ...]]) -> Params:
    blocks: Params = {}
    for index, layer in enumerate(layers):
        state = layer.state_dict()
        for ours, theirs in names.items():
            for kind in ("weight", "bias"):
                parts = [state[f"{name}.{kind}"].detach().float() for name in theirs]
                blocks[f"blocks.{index}.{ours}.{kind}"] = torch.cat(parts).contiguous()
    return blocks


def _not_a_model(name: str, why: str) -> StillhouseError:
    return StillhouseError(
        "invalid",
        f"the model {name} cannot be used: {why}; a BERT or DistilBERT encoder in the Hugging "
        "Face format is needed",
        field="model.name",
    )
