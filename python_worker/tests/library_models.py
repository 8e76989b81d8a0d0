"""Tiny encoders of other architectures, in the hub's format, made by the tests themselves."""

from pathlib import Path
from typing import Any

import torch

_SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 34,
    "initializer_range": 0.3,
}
_RELATIVE = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
}
# The settings that the real models of each architecture have.
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 8},
    "camembert": {"type_vocab_size": 1},
    "deberta": _RELATIVE,
    "deberta-v2": {
        **_RELATIVE,
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "conv_kernel_size": 3,
        "conv_act": "gelu",
    },
    "electra": {"embedding_size": 8},
    "modernbert": {"global_attn_every_n_layers": 2, "local_attention": 8},
    "mpnet": {},
    "roberta": {"type_vocab_size": 1},
    "xlm-roberta": {"type_vocab_size": 1},
}
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def save_library_model(folder: Path, architecture: str, words: list[str]) -> Path:
    """An encoder with random weights, and a tokenizer of whole words as RoBERTa numbers them."""
    from transformers import AutoConfig, AutoModel

    ids = {"bos_token_id": 0, "cls_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    vocabulary = [*SPECIAL, *words]
    config = AutoConfig.for_model(
        architecture,
        vocab_size=len(vocabulary),
        sep_token_id=2,
        **ids,
        **_SIZES,
        **ARCHITECTURES[architecture],
    )
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    _save_tokenizer(folder, vocabulary)
    return folder


def _save_tokenizer(folder: Path, vocabulary: list[str]) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    numbers = {word: index for index, word in enumerate(vocabulary)}
    start, padding, end, unknown, mask = SPECIAL
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}",
        special_tokens=[(start, numbers[start]), (end, numbers[end])],
    )
    names = {"cls_token": start, "sep_token": end, "pad_token": padding}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **names, unk_token=unknown, mask_token=mask
    ).save_pretrained(folder)
