"""Whether the tokenizer of a model folder fits its embedding and treats texts as BERT's does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import StillhouseError
from .refusal import refuse

# Special tokens that every text is given, padded with or falls back to, as BERT names them.
_ROLES = {
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
}
# Classes of ``transformers`` that put [CLS] and [SEP] around a text whatever tokenizer.json says.
_OF_BERT = ("BertTokenizer", "DistilBertTokenizer")


def check_tokenizer(folder: Path, num_rows: int) -> None:
    """Check that every token has a row of the embedding, and that texts get their special tokens.

    Args:
        folder: of a model.
        num_rows: of the embedding.

    Raises:
        StillhouseError: ``invalid``, field ``model.name``.
    """
    _check_vocabulary(folder, num_rows)
    _check_special_tokens(folder)
    _check_first_token(folder)


def _check_vocabulary(folder: Path, num_rows: int) -> None:
    """Every token of the tokenizer needs a row of the embedding."""
    token, number = max(_tokens(folder), key=lambda pair: pair[1], default=("", -1))
    if number >= num_rows:
        refuse(
            folder,
            f"its tokenizer has the token {token!r} as number {number}, but the embedding "
            f"has {num_rows} rows; call model.resize_token_embeddings(len(tokenizer)) and save it",
        )


def _check_special_tokens(folder: Path) -> None:
    """``transformers`` gives a special token that the vocabulary lacks a number behind its end."""
    known = {token for token, _ in _tokens(folder)}
    for role, token in _special_tokens(folder).items():
        if token not in known:
            refuse(folder, f"its tokenizer has no token {token!r} in its vocabulary ({role})")


def _special_tokens(folder: Path) -> dict[str, str]:
    """By their roles: those of BERT, unless files of the tokenizer name others."""
    is_of_bert = _is_of_bert(folder)
    stated = _json_of(folder / "tokenizer_config.json")
    stated |= _json_of(folder / "special_tokens_map.json")
    named = {
        role: stated.get(role, token if is_of_bert else None) for role, token in _ROLES.items()
    }
    texts = {role: _dict(token).get("content", token) for role, token in named.items()}
    return {role: token for role, token in texts.items() if isinstance(token, str)}


def _check_first_token(folder: Path) -> None:
    """Without a special token in front, a head would be given the vector of any word."""
    whole = _json_of(folder / "tokenizer.json")
    if whole and not _is_of_bert(folder) and whole.get("post_processor") is None:
        refuse(
            folder,
            "its tokenizer puts no special tokens around a text (post_processor in "
            "tokenizer.json is missing)",
        )


def _is_of_bert(folder: Path) -> bool:
    stated = _json_of(folder / "tokenizer_config.json").get("tokenizer_class", _OF_BERT[0])
    return str(stated).removesuffix("Fast") in _OF_BERT


def _tokens(folder: Path) -> Iterator[tuple[str, int]]:
    """Tokens and their numbers, of every file that a tokenizer may be made of."""
    whole = _json_of(folder / "tokenizer.json")
    if whole:
        yield from _dict(_dict(whole.get("model")).get("vocab")).items()
        for added in whole.get("added_tokens") or []:
            yield str(added["content"]), int(added["id"])
    elif (folder / "vocab.txt").is_file():
        lines = (folder / "vocab.txt").read_text("utf-8").removesuffix("\n").split("\n")
        yield from ((token, number) for number, token in enumerate(lines))
    yield from _json_of(folder / "added_tokens.json").items()
    settings = _json_of(folder / "tokenizer_config.json")
    for number, added in _dict(settings.get("added_tokens_decoder")).items():
        yield str(_dict(added).get("content", "")), int(number)


def _json_of(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return _dict(json.loads(path.read_text("utf-8")))
    except (ValueError, OSError) as error:
        said = f"{path} is not JSON: {error}"
        raise StillhouseError("invalid", said, field="model.name") from None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
