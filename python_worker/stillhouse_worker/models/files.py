"""A model folder in the hub's format: whether it is one that can be used, and its facts."""

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import FailureKind, StillhouseError
from .architectures import ARCHITECTURES, SUPPORTED, why_not
from .library import LIBRARY, library_sizes

# In the order of preference; the second is a pickle and only ever read with weights_only.
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt")

# First parts of the names of an encoder's tensors; heads and poolers have others.
_ENCODER_PARTS = ("embeddings", "encoder", "transformer")
_LIBRARY_PARTS = ("embeddings", "embeddings_project", "encoder", "layers", "final_norm")
_WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"


class ModelFacts(NamedTuple):
    """The facts about an encoder from its files.

    Attributes:
        architecture: model_type in its config.json.
        parameter_count: of embeddings and layers, without pooler and heads.
        num_layers: attention layers.
        num_heads: attention heads of a layer.
        width: size of a token's vector.
        max_positions: tokens that a text may have.
        entry_width: numbers per token of what enters its first layer.
        attention_span: tokens to each side that every layer sees at least; 0: all of them.
    """

    architecture: str
    parameter_count: int
    num_layers: int
    num_heads: int
    width: int
    max_positions: int
    entry_width: int
    attention_span: int = 0

    @property
    def is_staged(self) -> bool:
        """Whether ``blockwise`` knows its blocks."""
        return self.architecture in ARCHITECTURES


def find_weights(folder: Path) -> Path | None:
    """The weight file of a folder, if it has one."""
    paths = (folder / name for name in WEIGHT_FILES)
    return next((path for path in paths if path.is_file()), None)


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder has a file that a tokenizer can be made of."""
    return any((folder / name).is_file() for name in _TOKENIZER_FILES)


def check_model_folder(folder: Path) -> None:
    """Check that a folder has the config of a supported encoder, weights and a tokenizer.

    Raises:
        StillhouseError: not_found or invalid, field model.name.
    """
    if not folder.is_dir():
        raise _failure("not_found", f"model folder {str(folder)!r} does not exist")
    read_config(folder)
    if find_weights(folder) is None:
        raise _failure(
            "invalid", f"model folder {folder} has no weights: {' or '.join(WEIGHT_FILES)}"
        )
    if not has_tokenizer(folder):
        raise _failure(
            "invalid", f"model folder {folder} has no tokenizer: {' or '.join(_TOKENIZER_FILES)}"
        )


def read_model_facts(folder: Path) -> ModelFacts:
    """Facts of a checked folder, from its config and the header of its weights.

    Raises:
        StillhouseError: invalid when the config is not that of the weights.
    """
    config = read_config(folder)
    architecture = str(config["model_type"])
    shapes = encoder_shapes(folder, architecture)
    count = sum(map(prod, shapes.values()))
    if architecture in LIBRARY:
        return ModelFacts(architecture, count, *library_sizes(folder, config))
    kind = ARCHITECTURES[architecture]
    settings = {
        "num_layers": kind.num_layers,
        "num_heads": kind.num_heads,
        "width": kind.width,
        "max_positions": kind.max_positions,
    }
    facts = {fact: _positive(folder, config, *setting) for fact, setting in settings.items()}
    _check_shapes(folder, shapes, facts)
    return ModelFacts(architecture, count, **facts, entry_width=facts["width"])


def read_config(folder: Path) -> dict[str, Any]:
    """What config.json says.

    Raises:
        StillhouseError: ``invalid`` when it is not that of a supported architecture.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise _failure("invalid", f"model folder {folder} has no config.json, so it is not a model")
    try:
        config = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise _failure("invalid", f"{path} is not JSON: {error}") from None
    architecture = config.get("model_type") if isinstance(config, dict) else None
    if architecture not in SUPPORTED:
        raise _failure(
            "invalid",
            f"model folder {folder} has architecture {architecture!r} (model_type in config.json)"
            f"{why_not(architecture)}; allowed are {', '.join(SUPPORTED)}",
        )
    return dict(config)


def _positive(folder: Path, config: Mapping[str, Any], key: str, default: int) -> int:
    value = config.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _failure(
            "invalid", f"{folder / 'config.json'}: {key} must be an integer > 0, got {value!r}"
        )
    return value


def encoder_shapes(folder: Path, architecture: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the encoder's own tensors by `own_name`, from the header of a checked folder."""
    weights = find_weights(folder)
    assert weights is not None, "a checked folder has weights"
    shapes = (
        _safetensors_shapes(weights) if weights.suffix == ".safetensors" else _bin_shapes(weights)
    )
    own = ((own_name(name, architecture), shape) for name, shape in shapes.items())
    return {name: shape for name, shape in own if name is not None}


def own_name(name: str, architecture: str) -> str | None:
    """Name of an encoder's tensor without the model's prefix; None for a tensor of other parts."""
    family = LIBRARY.get(architecture)
    prefix = f"{architecture}." if family is None else family.prefix
    own = name.removeprefix(prefix)
    parts = _ENCODER_PARTS if family is None else _LIBRARY_PARTS
    if own.split(".")[0] not in parts or own.endswith((".position_ids", ".token_type_ids")):
        return None
    # Weights of the first years call the numbers of a norm so.
    return own.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )


def _safetensors_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            names = file.keys()
            return {name: tuple(file.get_slice(name).get_shape()) for name in names}
    except (SafetensorError, OSError) as error:
        raise _failure("invalid", f"{path} is not a safetensors file: {error}") from None


def _bin_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    import torch

    try:
        tensors = torch.load(path, map_location="meta", weights_only=True)
        return {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    except Exception as error:  # those of the archive, of objects and of types share no base class
        # The libraries' own message fills a screen, with escape sequences for a terminal.
        raise _failure(
            "invalid",
            f"{path} does not hold tensors and nothing else ({type(error).__name__}); other "
            "objects are never loaded, since that would run code; where you trust it, load "
            "the model and save it anew with model.save_pretrained(folder)",
        ) from None


def _check_shapes(
    folder: Path, shapes: Mapping[str, tuple[int, ...]], facts: Mapping[str, int]
) -> None:
    width = shapes.get(_WORD_EMBEDDINGS, (0, 0))[-1]
    if width != facts["width"]:
        raise _failure(
            "invalid",
            f"model folder {folder}: config.json says vectors of {facts['width']}, but the weights "
            f"have {width or 'no word embeddings'}",
        )
    layers = {name.split(".layer.")[1].split(".")[0] for name in shapes if ".layer." in name}
    if len(layers) != facts["num_layers"]:
        raise _failure(
            "invalid",
            f"model folder {folder}: config.json says {facts['num_layers']} layers, but the "
            f"weights have {len(layers)}",
        )


def _failure(kind: FailureKind, message: str) -> StillhouseError:
    return StillhouseError(kind, message, field="model.name")
