"""From texts to the words of a table of vectors."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordLevel

from ..learners.word_nets import NUM_SPECIAL

PADDING, UNKNOWN = "[PAD]", "[UNK]"
_CLITICS = ("s", "re", "ve", "ll", "d", "m")
# Texts given to the tokenizer at once.
_CHUNK = 4096


def word_tokenizer(words: Sequence[str]) -> Tokenizer:
    """Splits lower-cased texts into words, numbers and single signs of punctuation.

    Texts are split as GloVe's were where the table has what that gives: "didn't" into "did" and
    "n't", "it's" into "it" and "'s", and "u.s." as one.

    Args:
        words: of the table; the number of a word is its place there after `NUM_SPECIAL`.
    """
    vocabulary = {PADDING: 0, UNKNOWN: 1}
    for number, word in enumerate(words, NUM_SPECIAL):
        vocabulary.setdefault(word, number)
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=UNKNOWN))
    straight = normalizers.Replace(unicodedata.lookup("RIGHT SINGLE QUOTATION MARK"), "'")
    parts = [normalizers.NFC(), straight, normalizers.Lowercase()]
    tokenizer.normalizer = normalizers.Sequence(parts)
    pattern = Regex(_pattern(vocabulary))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern, "removed", invert=True)
    return tokenizer


def fast_tokenizer(words: Sequence[str]) -> Any:
    """The same as a fast tokenizer of ``transformers``."""
    from transformers import PreTrainedTokenizerFast  # takes seconds: not at import

    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=word_tokenizer(words), unk_token=UNKNOWN, pad_token=PADDING
    )


class Coverage(NamedTuple):
    """How much of some texts a table knows.

    Attributes:
        known, total: their words with a vector, and all.
    """

    known: int
    total: int

    @property
    def share(self) -> float:
        """Known of all, 0 to 1; 0 of nothing."""
        return self.known / self.total if self.total else 0.0


def coverage(words: Sequence[str], texts: Iterable[str]) -> Coverage:
    """Count the words of texts, and those that are in the table."""
    tokenizer, all_texts = word_tokenizer(words), list(texts)
    known = total = 0
    for start in range(0, len(all_texts), _CHUNK):
        for encoded in tokenizer.encode_batch(all_texts[start : start + _CHUNK]):
            total += len(encoded.ids)
            known += sum(number != 1 for number in encoded.ids)
    return Coverage(known, total)


def _pattern(words: Collection[str]) -> str:
    parts = [r"(?:[a-z]\.){2,}"] if "u.s." in words else []
    parts.append(r"[0-9]+(?:[.,][0-9]+)*(?![^\W_])")
    if "n't" in words:
        parts += [r"[^\W_]+?(?=n't\b)", r"n't\b"]
    clitics = [clitic for clitic in _CLITICS if f"'{clitic}" in words]
    if clitics:
        parts.append(rf"'(?:{'|'.join(clitics)})\b")
    return "|".join([*parts, r"[^\W_]+", r"[^\w\s]|_"])
