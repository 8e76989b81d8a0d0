"""Counts the test rows that are also in train, by 64-bit hashes of their content."""

import hashlib
from array import array
from collections.abc import Iterable

import numpy as np

from .rows import Content, encoded

# Between the texts of a pair; white space is one blank by then.
_BETWEEN = b"\n"


class ContentHashes:
    """Hashes of pixels, and of texts without regard to white space; 8 bytes per row."""

    def __init__(self, hashes: Iterable[int] = ()) -> None:
        self._hashes = array("Q", hashes)

    def add(self, first: Content, second: Content | None) -> None:
        """Add a row."""
        parts = (first,) if second is None else (first, second)
        digest = hashlib.blake2b(_BETWEEN.join(map(_plain, parts)), digest_size=8).digest()
        self._hashes.append(int.from_bytes(digest, "little"))

    def __getitem__(self, rows: Iterable[int]) -> "ContentHashes":
        """Those of some rows."""
        return ContentHashes(self._hashes[row] for row in rows)

    def number_also_in(self, others: "ContentHashes") -> int:
        """How many of these rows are among the others."""
        return int(np.isin(self._array, others._array).sum())

    @property
    def _array(self) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
        return np.array(self._hashes, dtype=np.uint64)


def _plain(content: Content) -> bytes:
    return encoded(content if isinstance(content, bytes) else " ".join(content.split()))
