"""Reading a data set once: rows kept for the splits asked for, the fingerprint taken of all."""

import hashlib
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ..errors import StillhouseError
from .holdout import TEST_FRACTION, split_off
from .hub import hub_source
from .local import local_source
from .packaged import packaged_source
from .rows import SPLIT_NAMES, Dataset, Row, RowSource, Split, SplitName


def load_dataset(
    name: str,
    *,
    source: str,
    data_dir: str | None,
    splits: Sequence[SplitName],
    validation_fraction: float,
) -> Dataset:
    """Load the named set from the source that ``find_dataset`` resolved it to.

    A split that is not asked for is streamed for the fingerprint and dropped row by row, unless
    it has to be held out of one that is asked for.

    Args:
        name: folder in ``data_dir``, name on the hub, or name of a packaged set.
        source: "local", "hub" or "packaged".
        data_dir: folder of local sets; unused otherwise.
        splits: which of train, validation and test to keep.
        validation_fraction: share of train to hold out where the set has no validation split,
            0 < fraction < 1. A set without test gives 20 % of train as test first.

    Raises:
        StillhouseError: invalid or not_found, with the file, the row and what is allowed.
    """
    if not 0 < validation_fraction < 1:
        raise StillhouseError(
            "invalid",
            f"dataset.validation_fraction must be > 0 and < 1, got {validation_fraction}",
            field="dataset.validation_fraction",
        )
    return read_dataset(name, source, _open(name, source, data_dir), splits, validation_fraction)


def _open(name: str, source: str, data_dir: str | None) -> RowSource:
    if source == "local":
        return local_source(name, data_dir)
    if source == "packaged":
        return packaged_source(name)
    if source == "hub":
        return hub_source(name)
    raise StillhouseError(
        "invalid",
        f"dataset.source must be local, hub or packaged, got {source!r}",
        field="dataset.source",
    )


def read_dataset(
    name: str,
    source: str,
    rows: RowSource,
    splits: Sequence[SplitName],
    validation_fraction: float,
) -> Dataset:
    """Read every row of ``rows`` once and keep those of the splits asked for."""
    fingerprint = _Fingerprint(rows)
    num_rows: dict[str, int] = {}
    kept: dict[str, Split] = {}
    for split_name in _needed_first(rows):
        stream = fingerprint.over(split_name, rows.splits[split_name]())
        if split_name in splits or (split_name == "train" and _must_hold_out(rows)):
            kept[split_name] = _collect(stream, is_pair=len(rows.text_columns) == 2)
            num_rows[split_name] = len(kept[split_name].labels)
        else:
            num_rows[split_name] = sum(1 for _ in stream)
        _check_counts(rows, split_name, fingerprint.class_counts)
    for missing, fraction in (("test", TEST_FRACTION), ("validation", validation_fraction)):
        if missing not in rows.splits:
            kept["train"], kept[missing] = split_off(kept["train"], fraction, missing)
            num_rows["train"] = len(kept["train"].labels)
            num_rows[missing] = len(kept[missing].labels)
    return Dataset(
        name=name,
        source=source,
        class_names=rows.class_names,
        text_columns=rows.text_columns,
        fingerprint=fingerprint.hexdigest(),
        splits={split_name: kept[split_name] for split_name in SPLIT_NAMES if split_name in splits},
        num_rows={split_name: num_rows[split_name] for split_name in SPLIT_NAMES},
    )


def _needed_first(rows: RowSource) -> list[SplitName]:
    return [split_name for split_name in SPLIT_NAMES if split_name in rows.splits]


def _must_hold_out(rows: RowSource) -> bool:
    return len(rows.splits) < len(SPLIT_NAMES)


def _collect(rows: Iterable[Row], *, is_pair: bool) -> Split:
    split = Split([], [] if is_pair else None, [])
    for first, second, label in rows:
        split.first.append(first)
        split.labels.append(label)
        if split.second is not None:
            assert second is not None, "a source of pairs yields pairs"
            split.second.append(second)
    return split


def _check_counts(rows: RowSource, split_name: SplitName, counts: Counter[int]) -> None:
    if not counts:
        raise StillhouseError(
            "invalid",
            f"{rows.place} has no rows in its {split_name} split; at least one is needed",
            field="dataset.name",
        )
    absent = [name for label, name in enumerate(rows.class_names) if not counts[label]]
    if split_name == "train" and absent:
        raise StillhouseError(
            "invalid",
            f"{rows.place} has no training rows of class {', '.join(map(repr, absent))}; "
            "each class needs at least one",
            field="dataset.name",
        )


class _Fingerprint:
    """SHA-256 over a set, fed row by row while the rows pass through."""

    def __init__(self, rows: RowSource) -> None:
        self._hash = hashlib.sha256()
        self.class_counts: Counter[int] = Counter()
        for names in (rows.class_names, rows.text_columns):
            self._hash.update(struct.pack("<i", len(names)))
            self._hash.update(b"".join(_framed(name) for name in names))

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

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def _framed(text: str) -> bytes:
    encoded = text.encode("utf-8", "surrogatepass")
    return struct.pack("<i", len(encoded)) + encoded
