"""A learner for other tools: as a transformers classifier or a sentence-transformers folder."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import StillhouseError
from ..learners.encoder import Encoder
from ..learners.interface import Params
from ..learners.library_layers import LAYERS
from .architectures import BERT
from .library import LIBRARY
from .trained_pooling import MODULES_NAME

# The modules of a sentence-transformers folder, in order. The encoder has a folder of its own:
# ``pipeline`` would mistake one in the root for a classifier, and draw the classifier's weights.
_MODULES = (
    ("0_Transformer", "Transformer"),
    ("1_Pooling", "Pooling"),
    ("2_Dense", "Dense"),
    ("3_Dense", "Dense"),
)


def to_transformers(
    encoder: Encoder, params: Params, class_names: Sequence[str], max_length: int
) -> Any:
    """A classifier of the library with the same logits, whose folder has a tokenizer.

    Its last two layers are exactly the head. A DistilBERT learner becomes a BERT with zero token
    type embeddings, since DistilBERT's own classifier has a ReLU where the head has a Tanh.

    Args:
        encoder: with the tokenizer.
        params: theta.
        class_names: in the order of the logits; ``id2label`` in the config.
        max_length: tokens that a text is cut to; ``model_max_length`` of the tokenizer.

    Raises:
        StillhouseError: ``invalid`` where transformers has no class with such a head, as for one
            that is given the mean over the tokens; `save_sentence_transformer` writes the learner.
    """
    if encoder.config.pooling != "first":
        raise StillhouseError(
            "invalid",
            "transformers has no class for a head that is given the mean over all tokens "
            "(--pooling mean); save_pretrained(folder) writes a folder for sentence-transformers",
            field="model.pooling",
        )
    if encoder.library is None:
        from transformers import BertForSequenceClassification

        state = _state(encoder, params)
        config, parent = _config(encoder, state, class_names), BertForSequenceClassification
    else:
        config, parent, state = _library_classifier(encoder, params, class_names)
    model = _with_tokenizer(parent)(config)
    model.load_state_dict(state)
    model.tokenizer_of_learner = _tokenizer(encoder, max_length)
    return model.eval()


def has_classifier(encoder: Encoder) -> bool:
    """Whether `to_transformers` has a class for its learners."""
    library = encoder.library
    is_known = library is None or LIBRARY[library.architecture].head is not None
    return encoder.config.pooling == "first" and is_known


def _library_classifier(
    encoder: Encoder, params: Params, class_names: Sequence[str]
) -> tuple[Any, Any, Params]:
    """Config, class and tensors of the classifier of an architecture of the library."""
    from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

    assert encoder.library is not None
    family = LIBRARY[encoder.library.architecture]
    if family.head is None:
        raise StillhouseError(
            "invalid",
            f"the classifier of {encoder.library.architecture} in transformers has another head "
            "than the learner; save_pretrained(folder) writes a folder for sentence-transformers",
            field="model.name",
        )
    config = _library_config(encoder, class_names)
    config.pooler_hidden_act = "tanh"  # of DeBERTa's; others have no such setting
    state = {
        f"{family.prefix}{name}": part for name, part in _library_state(encoder, params).items()
    }
    for ours, theirs in zip(("head.dense", "head.out"), family.head, strict=True):
        for kind in ("weight", "bias"):
            state[f"{theirs}.{kind}"] = params[f"{ours}.{kind}"].detach().cpu().clone()
    return config, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)], state


def _library_config(encoder: Encoder, class_names: Sequence[str]) -> Any:
    assert encoder.library is not None
    config = copy.deepcopy(encoder.library.config)
    config.id2label = dict(enumerate(class_names))
    config.label2id = {name: index for index, name in enumerate(class_names)}
    return config


def _library_state(encoder: Encoder, params: Params) -> Params:
    """The tensors of the encoder by the library's names."""
    embeddings = encoder.embeddings.state_dict()
    state = {f"embeddings.{n.removeprefix('own.')}": part for n, part in embeddings.items()}
    state |= {n.removeprefix(LAYERS): p for n, p in params.items() if n.startswith(LAYERS)}
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}


def save_sentence_transformer(
    folder: Path, encoder: Encoder, params: Params, class_names: Sequence[str], max_length: int
) -> None:
    """Write a learner as an encoder of sentences, whatever its head is given.

    ``SentenceTransformer(folder).encode(texts)`` gives its logits: encoder, pooling, and the head
    as two dense layers, the first with a Tanh. The class names are ``id2label`` in the encoder's
    config.

    Args:
        folder: created where it is missing.
        encoder, params, class_names, max_length: as of `to_transformers`.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    width, num_classes = encoder.config.width, len(class_names)
    model = _bare_model(encoder, params, class_names)
    place = folder / _MODULES[0][0]
    model.save_pretrained(place)
    _tokenizer(encoder, max_length).save_pretrained(place)
    _write(place / "sentence_bert_config.json", {"max_seq_length": max_length})
    is_mean = encoder.config.pooling == "mean"
    kinds = {"pooling_mode_mean_tokens": is_mean, "pooling_mode_cls_token": not is_mean}
    _write(folder / _MODULES[1][0] / "config.json", {"word_embedding_dimension": width, **kinds})
    dense = (("head.dense", width, "activation.Tanh"), ("head.out", num_classes, "linear.Identity"))
    for (name, _), (part, size, activation) in zip(_MODULES[2:], dense, strict=True):
        sizes = {"in_features": width, "out_features": size, "bias": True}
        function = {"activation_function": f"torch.nn.modules.{activation}"}
        _write(folder / name / "config.json", {**sizes, **function})
        layer = {f"linear.{kind}": params[f"{part}.{kind}"] for kind in ("weight", "bias")}
        layer = {name: tensor.detach().cpu().contiguous() for name, tensor in layer.items()}
        save_file(layer, folder / name / "model.safetensors")
    _write(
        folder / MODULES_NAME,
        [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(_MODULES)
        ],
    )


def _bare_model(encoder: Encoder, params: Params, class_names: Sequence[str]) -> Any:
    """The encoder as a model of the library, without a head."""
    from transformers import AutoModel, BertModel

    if encoder.library is not None:
        make: Any = AutoModel.from_config
        model = make(_library_config(encoder, class_names), trust_remote_code=False)
        if getattr(model, "pooler", None) is not None:
            model.pooler = None
        model.load_state_dict(_library_state(encoder, params))
        return model
    state, prefix = _state(encoder, params), "bert."
    model = BertModel(_config(encoder, state, class_names), add_pooling_layer=False)
    own = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
    model.load_state_dict({n: t for n, t in own.items() if not n.startswith("pooler.")})
    return model


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _config(encoder: Encoder, state: Params, class_names: Sequence[str]) -> Any:
    """The config of a model with the tensors that `_state` gives."""
    from transformers import BertConfig

    word, position = (state[f"bert.embeddings.{n}_embeddings.weight"] for n in ("word", "position"))
    return BertConfig(
        vocab_size=len(word),
        hidden_size=encoder.config.width,
        num_hidden_layers=encoder.config.num_layers,
        num_attention_heads=encoder.config.num_heads,
        intermediate_size=len(state["bert.encoder.layer.0.intermediate.dense.bias"]),
        max_position_embeddings=len(position),
        type_vocab_size=len(state["bert.embeddings.token_type_embeddings.weight"]),
        layer_norm_eps=encoder.config.layer_norm_eps,
        id2label=dict(enumerate(class_names)),
        label2id={name: index for index, name in enumerate(class_names)},
    )


def _with_tokenizer(parent: Any) -> Any:
    """The class with a tokenizer in what it saves.

    A folder with weights alone is no error to ``pipeline``: it makes up a vocabulary of five tokens
    and answers.
    """

    def save_pretrained(self: Any, save_directory: str | Path, **kwargs: Any) -> None:
        parent.save_pretrained(self, save_directory, **kwargs)
        self.tokenizer_of_learner.save_pretrained(save_directory)

    # Under the parent's name, which config.json gets and by which others know it.
    return type(parent.__name__, (parent,), {"save_pretrained": save_pretrained})


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
