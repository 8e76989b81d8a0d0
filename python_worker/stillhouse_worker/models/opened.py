"""The encoder of a model folder.

Only the config, the tensors and the tokenizer of a folder are read; no code in it is run. BERT and
DistilBERT are read without ``transformers``, whose models take longer to import than a small task
to compute; of their config only the settings of the two architectures count.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from ..learners.embeddings import Embeddings
from ..learners.encoder import Encoder
from ..learners.encoder_config import EncoderConfig, Pooling
from ..learners.interface import Params
from ..learners.library_layers import LibraryEmbeddings, LibraryLayers, layer_params
from ..stopping import may_stop
from .architectures import ARCHITECTURES, Architecture
from .files import (
    ModelFacts,
    check_model_folder,
    find_weights,
    own_name,
    read_config,
    read_model_facts,
)
from .library import built, first_position
from .refusal import refuse
from .soundness import check_layout

_EMBEDDINGS = "embeddings."


def load_encoder(place: str | Path, pooling: Pooling = "first") -> Encoder:
    """Load an encoder in fp32 on the CPU.

    Args:
        place: a folder in the hub's format.
        pooling: what a head is given.

    Raises:
        StillhouseError: ``not_found``, or ``invalid`` when it is no encoder of a supported kind.
    """
    folder = Path(place)
    check_model_folder(folder)
    facts = read_model_facts(folder)
    check_layout(folder, facts)
    config, name = read_config(folder), facts.architecture
    tensors = {name: tensor.detach().float() for name, tensor in _tensors(folder, name)}
    if not facts.is_staged:
        return _of_library(folder, facts, tensors, pooling)
    kind = ARCHITECTURES[name]
    eps = config.get(*kind.norm_eps) if kind.norm_eps else 1e-12
    sizes = (facts.num_layers, facts.num_heads, facts.width, facts.max_positions)
    embeddings = Embeddings(_own_embeddings(tensors, kind), eps)
    return Encoder(
        EncoderConfig(*sizes, layer_norm_eps=eps, pooling=pooling),
        embeddings.eval(),
        _blocks(tensors, kind, facts.num_layers),
        load_tokenizer(folder),
    )


def _of_library(
    folder: Path, facts: ModelFacts, tensors: Mapping[str, Tensor], pooling: Pooling
) -> Encoder:
    """An encoder whose layers the library's own code runs."""
    with torch.random.fork_rng(devices=[]):  # to build it moves the global generator
        module = built(folder, read_config(folder))
    module.load_state_dict(tensors, strict=False, assign=True)
    module.requires_grad_(False)
    embeddings = LibraryEmbeddings(
        module.embeddings, first_position(facts.architecture, module.config)
    )
    blocks = layer_params(module)
    narrow = 0 if facts.entry_width == facts.width else facts.entry_width
    sizes = (facts.num_layers, facts.num_heads, facts.width, facts.max_positions)
    return Encoder(
        EncoderConfig(*sizes, layer_norm_eps=0.0, pooling=pooling, embedding_width=narrow),
        embeddings.eval(),
        blocks,
        load_tokenizer(folder),
        LibraryLayers(module, facts.architecture),
    )


def load_tokenizer(folder: Path) -> Any:
    """The fast tokenizer of a model folder, of ``transformers``.

    Raises:
        StillhouseError: ``invalid`` when it cannot be opened.
    """
    from transformers import AutoTokenizer  # takes seconds: not at import

    try:
        return AutoTokenizer.from_pretrained(folder, use_fast=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        refuse(folder, str(error).splitlines()[0])


def _tensors(folder: Path, architecture: str) -> Iterator[tuple[str, Tensor]]:
    """The encoder's own tensors, of safetensors one at a time."""
    path = find_weights(folder)
    assert path is not None, "a checked folder has weights"
    if path.suffix != ".safetensors":
        for name, tensor in torch.load(path, map_location="cpu", weights_only=True).items():
            if (own := own_name(name, architecture)) is not None:
                yield own, tensor
        return
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118  # a file is no mapping
            may_stop()
            if (own := own_name(name, architecture)) is not None:
                yield own, file.get_tensor(name)


def _own_embeddings(tensors: Mapping[str, Tensor], kind: Architecture) -> dict[str, Tensor]:
    names = ["word_embeddings.weight", "position_embeddings.weight"]
    names += ["token_type_embeddings.weight"] if kind.has_token_types else []
    names += ["LayerNorm.weight", "LayerNorm.bias"]
    return {name: tensors[_EMBEDDINGS + name] for name in names}


def _blocks(tensors: Mapping[str, Tensor], kind: Architecture, num_layers: int) -> Params:
    blocks: Params = {}
    for index in range(num_layers):
        for ours, theirs in kind.block.items():
            for part in ("weight", "bias"):
                stacked = [tensors[f"{kind.layers}.{index}.{name}.{part}"] for name in theirs]
                blocks[f"blocks.{index}.{ours}.{part}"] = torch.cat(stacked).contiguous()
    return blocks
