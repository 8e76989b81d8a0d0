"""SHA-256 over everything that an experiment takes from a data set."""

import hashlib
import struct
from collections import Counter
from collections.abc import Iterator

from .rows import Content, Row, RowSource, encoded


class Fingerprint:
    """A hash over classes, columns and rows, fed row by row while the rows pass through.

    Attributes:
        class_counts: rows of each class in the split that passed through last.
    """

    def __init__(self, rows: RowSource) -> None:
        self._hash = hashlib.sha256()
        self.class_counts: Counter[int] = Counter()
        for names in (rows.class_names, rows.text_columns):
            self._hash.update(struct.pack("<i", len(names)))
            self._hash.update(b"".join(_framed(name) for name in names))
        if rows.image is not None:
            self.note("image", *map(str, (*rows.image,)))

    def over(self, split_name: str, rows: Iterator[Row]) -> Iterator[Row]:
        """Pass the rows of a split through, counting its classes."""
        counts: Counter[int] = Counter()
        self.class_counts = counts
        self._hash.update(_framed(split_name))
        update = self._hash.update
        for row in rows:
            first, second, label = row
            counts[label] += 1
            # Lengths go before the texts, so that no two different sets give the same bytes.
            update(struct.pack("<i", label) + _framed(first))
            if second is not None:
                update(_framed(second))
            yield row

    def note(self, *texts: str) -> None:
        """Include another decision about the set."""
        self._hash.update(b"".join(_framed(text) for text in texts))

    def hexdigest(self) -> str:
        """The fingerprint in hexadecimal."""
        return self._hash.hexdigest()


def _framed(content: Content) -> bytes:
    raw = encoded(content)
    return struct.pack("<i", len(raw)) + raw
