"""Whether the tokenizer of a model folder fits its embedding and treats texts as BERT's does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

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
    files = _read(folder)
    tokens = list(_tokens(files))
    _check_vocabulary(folder, tokens, num_rows)
    _check_special_tokens(folder, files, {token for token, _ in tokens})
    _check_first_token(folder, files)


class _Files(NamedTuple):
    """The files that a tokenizer may be made of; empty where one is missing.

    Attributes:
        whole: tokenizer.json.
        config: tokenizer_config.json.
        special: special_tokens_map.json.
        added: added_tokens.json, numbers by token.
        vocabulary: the lines of vocab.txt, which is read where there is no tokenizer.json.
    """

    whole: dict[str, Any]
    config: dict[str, Any]
    special: dict[str, Any]
    added: dict[str, Any]
    vocabulary: list[str]

    def are_of_bert(self) -> bool:
        stated = self.config.get("tokenizer_class", _OF_BERT[0])
        return str(stated).removesuffix("Fast") in _OF_BERT


def _read(folder: Path) -> _Files:
    whole = _json_of(folder / "tokenizer.json")
    return _Files(
        whole,
        _json_of(folder / "tokenizer_config.json"),
        _json_of(folder / "special_tokens_map.json"),
        _json_of(folder / "added_tokens.json"),
        [] if whole else _lines_of(folder / "vocab.txt"),
    )


def _tokens(files: _Files) -> Iterator[tuple[str, int]]:
    """Tokens and their numbers, of every file."""
    if files.whole:
        vocabulary = _dict(files.whole.get("model")).get("vocab")
        if isinstance(vocabulary, list):  # of a unigram model: pairs of token and score, in order
            yield from ((str(pair[0]), number) for number, pair in enumerate(vocabulary))
        yield from _dict(vocabulary).items()
        for added in files.whole.get("added_tokens") or []:
            yield str(added["content"]), int(added["id"])
    else:
        yield from ((token, number) for number, token in enumerate(files.vocabulary))
    yield from files.added.items()
    for number, added in _dict(files.config.get("added_tokens_decoder")).items():
        yield str(_dict(added).get("content", "")), int(number)


def _check_vocabulary(folder: Path, tokens: list[tuple[str, int]], num_rows: int) -> None:
    """Every token of the tokenizer needs a row of the embedding."""
    token, number = max(tokens, key=lambda pair: pair[1], default=("", -1))
    if number >= num_rows:
        refuse(
            folder,
            f"its tokenizer has the token {token!r} as number {number}, but the embedding "
            f"has {num_rows} rows; call model.resize_token_embeddings(len(tokenizer)) and save it",
        )


def _check_special_tokens(folder: Path, files: _Files, known: set[str]) -> None:
    """``transformers`` would number a special token that the vocabulary lacks beyond its end."""
    for role, token in _special_tokens(files).items():
        if token not in known:
            refuse(folder, f"its tokenizer has no token {token!r} in its vocabulary ({role})")


def _special_tokens(files: _Files) -> dict[str, str]:
    """By their roles: those of BERT, unless files of the tokenizer name others."""
    is_of_bert = files.are_of_bert()
    stated = files.config | files.special
    named = {
        role: stated.get(role, token if is_of_bert else None) for role, token in _ROLES.items()
    }
    texts = {role: _dict(token).get("content", token) for role, token in named.items()}
    return {role: token for role, token in texts.items() if isinstance(token, str)}


def _check_first_token(folder: Path, files: _Files) -> None:
    """Without a special token in front, a head would be given the vector of any word."""
    if files.whole and not files.are_of_bert() and files.whole.get("post_processor") is None:
        refuse(
            folder,
            "its tokenizer puts no special tokens around a text (post_processor in "
            "tokenizer.json is missing)",
        )


def _lines_of(path: Path) -> list[str]:
    return path.read_text("utf-8").removesuffix("\n").split("\n") if path.is_file() else []


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
