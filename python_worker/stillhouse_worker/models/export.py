"""A learner as a transformers model, so that other tools can use and save it."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..learners.encoder import Encoder, Params
from .architectures import BERT


def to_transformers(
    encoder: Encoder, params: Params, class_names: Sequence[str], max_length: int
) -> Any:
    """A ``BertForSequenceClassification`` with the same logits, whose folder has a tokenizer.

    Its pooler and classifier are exactly the head. A DistilBERT learner becomes a BERT with zero
    token type embeddings, since DistilBERT's own classifier has a ReLU where the head has a Tanh.

    Args:
        encoder: with the tokenizer.
        params: theta.
        class_names: in the order of the logits; ``id2label`` in the config.
        max_length: tokens that a text is cut to; ``model_max_length`` of the tokenizer.
    """
    from transformers import BertConfig

    state = _state(encoder, params)
    word, position = (state[f"bert.embeddings.{n}_embeddings.weight"] for n in ("word", "position"))
    config = BertConfig(
        vocab_size=len(word),
        hidden_size=encoder.config.width,
        num_hidden_layers=encoder.config.num_layers,
        num_attention_heads=encoder.config.num_heads,
        intermediate_size=len(params["blocks.0.up.bias"]),
        max_position_embeddings=len(position),
        type_vocab_size=len(state["bert.embeddings.token_type_embeddings.weight"]),
        layer_norm_eps=encoder.config.layer_norm_eps,
        id2label=dict(enumerate(class_names)),
        label2id={name: index for index, name in enumerate(class_names)},
    )
    model = _classifier_class()(config)
    model.load_state_dict(state)
    model.tokenizer_of_learner = _tokenizer(encoder, max_length)
    return model.eval()


def _classifier_class() -> Any:
    """transformers' class, which takes seconds to import, with a tokenizer in what it saves.

    A folder with weights alone is no error to ``pipeline``: it makes up a vocabulary of five tokens
    and answers.
    """
    from transformers import BertForSequenceClassification as Parent

    def save_pretrained(self: Any, save_directory: str | Path, **kwargs: Any) -> None:
        Parent.save_pretrained(self, save_directory, **kwargs)
        self.tokenizer_of_learner.save_pretrained(save_directory)

    # Under the parent's name, which config.json gets and by which others know it.
    return type(Parent.__name__, (Parent,), {"save_pretrained": save_pretrained})


def _tokenizer(encoder: Encoder, max_length: int) -> Any:
    """A copy that cuts texts where the learner does."""
    tokenizer = copy.deepcopy(encoder.tokenizer)
    tokenizer.model_max_length = max_length
    return tokenizer


def _state(encoder: Encoder, params: Params) -> dict[str, Tensor]:
    embeddings = encoder.embeddings.state_dict()
    embeddings.setdefault("token_type_embeddings.weight", torch.zeros(2, encoder.config.width))
    state = {f"bert.embeddings.{name}": tensor for name, tensor in embeddings.items()}
    for index in range(encoder.config.num_layers):
        for ours, theirs in BERT.block.items():
            for kind in ("weight", "bias"):
                stacked = params[f"blocks.{index}.{ours}.{kind}"]
                for name, part in zip(theirs, stacked.chunk(len(theirs)), strict=True):
                    state[f"bert.encoder.layer.{index}.{name}.{kind}"] = part
    for ours, name in (("head.dense", "bert.pooler.dense"), ("head.out", "classifier")):
        for kind in ("weight", "bias"):
            state[f"{name}.{kind}"] = params[f"{ours}.{kind}"]
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
