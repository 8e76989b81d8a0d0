"""Checks that the learner can compute with a model folder, down to every weight.

A model that is accepted here can run: one that would fail in a task, or silently compute wrong
values, is refused with a sentence before anything is stored. This needs neither PyTorch nor
``transformers``, which take seconds to import.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .architectures import ACTIVATIONS, ARCHITECTURES
from .files import ModelFacts, encoder_shapes, read_config
from .finite import check_finite
from .library import wanted_shapes as library_shapes
from .refusal import refuse
from .tokenizer import check_tokenizer

# Switches of config.json that change what an encoder computes, and what is said of each.
_UNSUPPORTED = {
    "is_decoder": "it is a decoder, whose tokens see only those before them",
    "add_cross_attention": "it has cross attention",
    "pruned_heads": "some of its attention heads are cut away",
    "quantization_config": "its weights are quantised",
}

# Rows and columns of the linear layers of a block by our names, in widths (w) of the encoder and of
# its feed-forward part (f); a norm has one number per column.
_LINEAR = {"qkv": "ww", "attention_out": "ww", "up": "fw", "down": "wf"}
_TYPES = "embeddings.token_type_embeddings.weight"
_WORDS = ("embeddings.word_embeddings.weight", "embeddings.tok_embeddings.weight")


def check_model(folder: Path, facts: ModelFacts, *, has_pairs: bool = False) -> None:
    """Check that an encoder is computed as its makers meant it, and that its numbers are numbers.

    Args:
        folder: of a model whose facts have been read.
        facts: those.
        has_pairs: whether its texts will be pairs.

    Raises:
        StillhouseError: ``invalid``, field ``model.name``.
    """
    check_layout(folder, facts)
    shapes = encoder_shapes(folder, facts.architecture)
    if facts.is_staged:
        _check_token_types(folder, shapes, facts, has_pairs)
    check_tokenizer(folder, next(shapes[name] for name in _WORDS if name in shapes)[0])
    check_finite(folder, facts.architecture)


def check_layout(folder: Path, facts: ModelFacts) -> None:
    """Check that config and tensors are those of an encoder that is computed as it was meant.

    Args:
        folder: of a model whose facts have been read.
        facts: those.

    Raises:
        StillhouseError: ``invalid``, field ``model.name``.
    """
    config = read_config(folder)
    _check_switches(folder, config, facts)
    wanted = _wanted_shapes(config, facts) if facts.is_staged else library_shapes(folder, config)
    _check_shapes(folder, encoder_shapes(folder, facts.architecture), wanted)


def _check_switches(folder: Path, config: Mapping[str, Any], facts: ModelFacts) -> None:
    for key, said in _UNSUPPORTED.items():
        if config.get(key):
            refuse(folder, f"{said} ({key} in config.json)")
    if facts.is_staged:
        key = ARCHITECTURES[facts.architecture].activation
        activation = config.get(key, "gelu")
        if activation not in ACTIVATIONS:
            refuse(folder, f"its activation is {activation!r} ({key} in config.json), not gelu")
    positions = config.get("position_embedding_type", "absolute")
    if positions != "absolute":
        refuse(folder, f"its position_embedding_type is {positions!r}, not absolute")
    if facts.width % facts.num_heads != 0:
        refuse(folder, f"its width {facts.width} is no multiple of its {facts.num_heads} heads")


def _wanted_shapes(config: Mapping[str, Any], facts: ModelFacts) -> dict[str, tuple[int, ...]]:
    """The shapes of all required tensors; 0 means any number of rows."""
    kind = ARCHITECTURES[facts.architecture]
    sizes = {"w": facts.width, "f": config.get(*kind.feed_forward)}
    wanted: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (0, facts.width),
        "embeddings.position_embeddings.weight": (facts.max_positions, facts.width),
        **_norm("embeddings.LayerNorm", facts.width),
    }
    if kind.has_token_types:
        wanted[_TYPES] = (0, facts.width)
    for index in range(facts.num_layers):
        prefix = f"{kind.layers}.{index}"
        for ours, names in kind.block.items():
            for name in names:
                wanted |= (
                    _linear(f"{prefix}.{name}", *(sizes[size] for size in _LINEAR[ours]))
                    if ours in _LINEAR
                    else _norm(f"{prefix}.{name}", facts.width)
                )
    return wanted


def _linear(name: str, rows: int, columns: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _check_shapes(
    folder: Path, shapes: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]
) -> None:
    for name, sizes in wanted.items():
        found = shapes.get(name)
        if found is None:
            refuse(folder, f"its weights lack {name}")
        fits = len(found) == len(sizes) and all(
            size in (0, there) for size, there in zip(sizes, found, strict=True)
        )
        if not fits:
            meant = " x ".join(str(size or "any") for size in sizes)
            refuse(folder, f"{name} must be {meant} by config.json, got {_product(found)}")


def _product(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def _check_token_types(
    folder: Path, shapes: Mapping[str, tuple[int, ...]], facts: ModelFacts, has_pairs: bool
) -> None:
    has_types = ARCHITECTURES[facts.architecture].has_token_types
    if has_pairs and has_types and shapes[_TYPES][0] < 2:
        refuse(
            folder,
            "the data set has pairs of texts, and it has one token type alone (type_vocab_size in "
            "config.json), so it cannot tell the second text from the first",
        )
