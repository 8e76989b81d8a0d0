"""The encoder of a model folder.

Only the config, the tensors and the tokenizer of a folder are read; no code in it is run, and of
its config only the settings of the two architectures count. The weights are read without
``transformers``, whose models take longer to import than a small task to compute.
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
from .architectures import ARCHITECTURES, Architecture
from .files import check_model_folder, find_weights, own_name, read_config, read_model_facts
from .refusal import refuse
from .soundness import check_layout

_EMBEDDINGS = "embeddings."


def load_encoder(place: str | Path, pooling: Pooling = "first") -> Encoder:
    """Load a BERT or DistilBERT encoder in fp32 on the CPU.

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
    config, kind = read_config(folder), ARCHITECTURES[facts.architecture]
    tensors = {name: tensor.detach().float() for name, tensor in _tensors(folder)}
    eps = config.get(*kind.norm_eps) if kind.norm_eps else 1e-12
    sizes = (facts.num_layers, facts.num_heads, facts.width, facts.max_positions)
    embeddings = Embeddings(_own_embeddings(tensors, kind), eps)
    return Encoder(
        EncoderConfig(*sizes, layer_norm_eps=eps, pooling=pooling),
        embeddings.eval(),
        _blocks(tensors, kind, facts.num_layers),
        load_tokenizer(folder),
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


def _tensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """The encoder's own tensors, of safetensors one at a time."""
    path = find_weights(folder)
    assert path is not None, "a checked folder has weights"
    if path.suffix != ".safetensors":
        for name, tensor in torch.load(path, map_location="cpu", weights_only=True).items():
            if (own := own_name(name)) is not None:
                yield own, tensor
        return
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118  # a file is no mapping
            if (own := own_name(name)) is not None:
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
