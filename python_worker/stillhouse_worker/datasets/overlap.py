"""Counts the test rows that are also in train, by 64-bit hashes of their texts."""

import hashlib
from array import array
from collections.abc import Iterable

import numpy as np

# Between the texts of a pair; white space is one blank by then.
_BETWEEN = "\n"


class TextHashes:
    """Hashes of texts without regard to white space; 8 bytes per row."""

    def __init__(self, hashes: Iterable[int] = ()) -> None:
        self._hashes = array("Q", hashes)

    def add(self, first: str, second: str | None) -> None:
        """Add a row."""
        texts = (first,) if second is None else (first, second)
        plain = _BETWEEN.join(" ".join(text.split()) for text in texts)
        digest = hashlib.blake2b(plain.encode(), digest_size=8).digest()
        self._hashes.append(int.from_bytes(digest, "little"))

    def __getitem__(self, rows: Iterable[int]) -> "TextHashes":
        """Those of some rows."""
        return TextHashes(self._hashes[row] for row in rows)

    def number_also_in(self, others: "TextHashes") -> int:
        """How many of these rows are among the others."""
        return int(np.isin(self._array, others._array).sum())

    @property
    def _array(self) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
        return np.array(self._hashes, dtype=np.uint64)
