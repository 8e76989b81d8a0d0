"""Encoders that the library's own code computes: which, their sizes, and the names of their parts.

Each is built from its config by a class of ``transformers``, whose import takes seconds and is left
to the functions.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .refusal import refuse


class Family(NamedTuple):
    """One architecture.

    Attributes:
        prefix: of the names of an encoder's tensors in the files of a model with a head.
        head: where the library's classifier has the two layers of our head, if it has the same
            one: (dense, out).
        skips_positions: the padding token and all before it have a position of their own, so that
            texts start at the next.
    """

    prefix: str
    head: tuple[str, str] | None = None
    skips_positions: bool = False


_ROBERTA = Family("roberta.", ("classifier.dense", "classifier.out_proj"), skips_positions=True)
_DEBERTA = Family("deberta.", ("pooler.dense", "classifier"))

# By model_type in config.json.
LIBRARY: Mapping[str, Family] = {
    "albert": Family("albert.", ("albert.pooler", "classifier")),
    "camembert": _ROBERTA,
    "deberta": _DEBERTA,
    "deberta-v2": _DEBERTA,
    "electra": Family("electra."),
    "modernbert": Family("model."),
    "mpnet": Family("mpnet.", ("classifier.dense", "classifier.out_proj"), skips_positions=True),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
}


class Sizes(NamedTuple):
    """What the config of such an encoder says, by the library's defaults.

    Attributes:
        num_layers, num_heads, width: of the layers.
        max_positions: tokens that a text may have.
        entry_width: numbers per token of what the embeddings hand on.
        attention_span: tokens to each side that every layer sees at least; 0: all of them.
    """

    num_layers: int
    num_heads: int
    width: int
    max_positions: int
    entry_width: int
    attention_span: int


def first_position(architecture: str, config: Any) -> int:
    """The number of the first token's position."""
    return int(config.pad_token_id) + 1 if LIBRARY[architecture].skips_positions else 0


def library_config(folder: Path, config: Mapping[str, Any]) -> Any:
    """The library's config of a folder's ``config.json``.

    Raises:
        StillhouseError: ``invalid``, field ``model.name``.
    """
    from transformers import CONFIG_MAPPING

    try:
        made = CONFIG_MAPPING[config["model_type"]].from_dict(dict(config))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        refuse(folder, f"config.json is not that of {config['model_type']}: {_line(error)}")
    if LIBRARY[made.model_type].skips_positions and made.pad_token_id is None:
        refuse(folder, "pad_token_id is missing in config.json, from which positions are counted")
    return made


def library_sizes(folder: Path, config: Mapping[str, Any]) -> Sizes:
    """Sizes of an encoder, from its config."""
    own = library_config(folder, config)
    # Embeddings of DeBERTa are widened before they are handed on.
    is_wide = own.model_type in ("deberta", "deberta-v2")
    entry = own.hidden_size if is_wide else getattr(own, "embedding_size", own.hidden_size)
    return Sizes(
        own.num_hidden_layers,
        own.num_attention_heads,
        own.hidden_size,
        own.max_position_embeddings - first_position(own.model_type, own),
        entry,
        _attention_span(own),
    )


def _attention_span(config: Any) -> int:
    if "sliding_attention" not in (getattr(config, "layer_types", None) or ()):
        return 0
    return int(config.local_attention) // 2


def built(folder: Path, config: Mapping[str, Any]) -> Any:
    """The encoder by its config, in evaluation mode and without a pooler; its weights are drawn.

    Raises:
        StillhouseError: ``invalid``, field ``model.name``.
    """
    from transformers import AutoModel

    own = library_config(folder, config)
    try:
        make: Any = AutoModel.from_config
        model = make(own, trust_remote_code=False, attn_implementation="eager")
    except (TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        refuse(folder, f"transformers cannot build it from config.json: {_line(error)}")
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model.float().eval()


def wanted_shapes(folder: Path, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors that the encoder needs, without making them."""
    import torch

    with torch.device("meta"):
        model = built(folder, config)
    return {name: tuple(tensor.shape) for name, tensor in model.named_parameters()}


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
