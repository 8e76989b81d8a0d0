"""Reading a data set once: rows kept for the requested splits, the fingerprint taken of all."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..errors import StillhouseError
from ..stopping import may_stop
from .faults import invalid
from .fingerprint import Fingerprint
from .holdout import FORMER_TEST_FRACTION, holdout_indices, rows_at
from .hub import hub_source
from .local import local_source
from .notices import notices_of
from .overlap import ContentHashes
from .packaged import packaged_source
from .pixels import pixel_statistics
from .rows import (
    SPLIT_NAMES,
    BadRow,
    BadRows,
    Dataset,
    Row,
    RowSource,
    SkippedRows,
    Split,
    SplitName,
)


class Reading(NamedTuple):
    """How a data set is read.

    Attributes:
        validation_fraction: share of train that is held out where the set has no validation split,
            0 < fraction < 1.
        test_fraction: the same of test, which is held out first.
        bad_rows: what becomes of rows that cannot be used.
        texts: columns of texts; empty: as the set says, or as recognised.
        label: column of labels; empty: the same.
        finds_overlap: whether test rows that are also in train are counted.
    """

    validation_fraction: float
    test_fraction: float
    bad_rows: BadRows
    texts: tuple[str, ...] = ()
    label: str = ""
    finds_overlap: bool = False


def load_dataset(
    name: str,
    *,
    source: str,
    data_dir: str | None,
    splits: Sequence[SplitName],
    reading: Reading,
) -> Dataset:
    """Load the named set from the source that ``find_dataset`` resolved it to.

    A split that is not asked for is streamed for the fingerprint and dropped row by row, unless
    it has to be held out of one that is asked for.

    Args:
        name: folder or file in ``data_dir``, name on the hub, or name of a packaged set.
        source: "local", "hub" or "packaged".
        data_dir: folder of local sets; unused otherwise.
        splits: which of train, validation and test to keep.
        reading: how to read it.

    Raises:
        StillhouseError: invalid or not_found, with the file, the row and what is allowed.
    """
    for field in ("validation_fraction", "test_fraction"):
        fraction = getattr(reading, field)
        if not 0 < fraction < 1:
            raise StillhouseError(
                "invalid",
                f"dataset.{field} must be > 0 and < 1, got {fraction}",
                field=f"dataset.{field}",
            )
    return read_dataset(name, source, _open(name, source, data_dir, reading), splits, reading)


def _open(name: str, source: str, data_dir: str | None, reading: Reading) -> RowSource:
    if source == "local":
        return local_source(name, data_dir, reading.texts, reading.label)
    if source == "packaged":
        return packaged_source(name)
    if source == "hub":
        return hub_source(name, reading.texts, reading.label)
    raise StillhouseError(
        "invalid",
        f"dataset.source must be local, hub or packaged, got {source!r}",
        field="dataset.source",
    )


def read_dataset(
    name: str, source: str, rows: RowSource, splits: Sequence[SplitName], reading: Reading
) -> Dataset:
    """Read every row of ``rows`` once and keep those of the splits asked for."""
    reader = _Reader(rows, reading.bad_rows, reading.finds_overlap)
    for split_name in (name for name in SPLIT_NAMES if name in rows.splits):
        is_kept = split_name in splits or (split_name == "train" and _needs_train(rows))
        reader.read(split_name, is_kept=is_kept)
    if "test" not in rows.splits:
        reader.hold_out("test", reading.test_fraction)
    test_rows_in_train = reader.number_of_test_in_train() if reading.finds_overlap else None
    if "validation" not in rows.splits:
        reader.hold_out("validation", reading.validation_fraction)
    reader.check_parts()
    dataset = Dataset(
        name=name,
        source=source,
        class_names=rows.class_names,
        text_columns=rows.text_columns,
        fingerprint=reader.fingerprint.hexdigest(),
        splits={name: reader.kept[name] for name in SPLIT_NAMES if name in splits},
        num_rows={split_name: reader.num_rows[split_name] for split_name in SPLIT_NAMES},
        layout=rows.layout,
        skipped=reader.skipped(),
        test_from=rows.test_from if "test" in rows.splits else "train",
        test_rows_in_train=test_rows_in_train,
        notices=rows.notices,
        image=rows.image,
        pixels=rows.image and pixel_statistics(reader.kept["train"].first, rows.image),
    )
    return dataset._replace(notices=notices_of(dataset, reading.test_fraction))


def _needs_train(rows: RowSource) -> bool:
    """Whether another split is held out of train, or images are normalised by what is in it."""
    return len(rows.splits) < len(SPLIT_NAMES) or rows.image is not None


class _Reader:
    """The state while the splits of a set are read."""

    def __init__(self, rows: RowSource, bad_rows: BadRows, finds_overlap: bool) -> None:
        self.fingerprint = Fingerprint(rows)
        self.kept: dict[str, Split] = {}
        self.num_rows: dict[str, int] = {}
        self._rows, self._bad_rows, self._finds_overlap = rows, bad_rows, finds_overlap
        self._skipped: dict[str, Counter[str]] = {}
        self._hashes: dict[str, ContentHashes] = {}

    def read(self, split_name: SplitName, *, is_kept: bool) -> None:
        """Read a split from its source."""
        good = self._good(split_name, self._rows.splits[split_name]())
        if self._finds_overlap:
            good = self._hashed(split_name, good)
        stream = self.fingerprint.over(split_name, good)
        if is_kept:
            self.kept[split_name] = _collect(stream, is_pair=len(self._rows.text_columns) == 2)
            self.num_rows[split_name] = len(self.kept[split_name].labels)
        else:
            self.num_rows[split_name] = sum(1 for _ in stream)
        skipped = self._skipped[split_name]
        if skipped:
            self.fingerprint.note("skipped", *(f"{skipped[why]} {why}" for why in sorted(skipped)))
        self._check_counts(split_name, self.fingerprint.class_counts)

    def hold_out(self, part: SplitName, fraction: float) -> None:
        """Hold a part out of train."""
        train = self.kept["train"]
        held_out = holdout_indices(train.labels, fraction, part)
        rest = sorted(set(range(len(train.labels))).difference(held_out))
        self.kept["train"], self.kept[part] = rows_at(train, rest), rows_at(train, held_out)
        self.num_rows["train"], self.num_rows[part] = len(rest), len(held_out)
        if part == "test" and self._finds_overlap:
            of_train = self._hashes["train"]
            self._hashes["train"], self._hashes["test"] = of_train[rest], of_train[held_out]
        # Fingerprints from before the share could be chosen stay as they are.
        if part == "test" and fraction != FORMER_TEST_FRACTION:
            self.fingerprint.note("test_fraction", repr(fraction))

    def number_of_test_in_train(self) -> int:
        """Test rows whose texts are also in train."""
        return self._hashes["test"].number_also_in(self._hashes["train"])

    def check_parts(self) -> None:
        """Raise ``invalid`` where nothing could be held out."""
        for split_name in SPLIT_NAMES:
            if self.num_rows[split_name] == 0:
                raise invalid(
                    f"{self._rows.place} has too few rows in train to hold out any for "
                    f"{split_name}: one per class, and the last one of a class is never held out; "
                    f"add rows, or a {split_name} split"
                )

    def skipped(self) -> tuple[SkippedRows, ...]:
        """The rows that were left out, by split and reason."""
        return tuple(
            SkippedRows(split_name, reason, counts[reason])
            for split_name, counts in self._skipped.items()
            for reason in sorted(counts)
        )

    def _good(self, split_name: SplitName, rows: Iterator[Row | BadRow]) -> Iterator[Row]:
        counts: Counter[str] = Counter()
        self._skipped[split_name] = counts
        for row in rows:
            may_stop()
            if not isinstance(row, BadRow):
                yield row
            elif self._bad_rows == "skip":
                counts[row.reason] += 1
            else:
                raise invalid(f"{row.message} (--on-bad-rows skip leaves such rows out)")

    def _hashed(self, split_name: SplitName, rows: Iterator[Row]) -> Iterator[Row]:
        hashes = self._hashes[split_name] = ContentHashes()
        for row in rows:
            hashes.add(row[0], row[1])
            yield row

    def _check_counts(self, split_name: SplitName, counts: Counter[int]) -> None:
        place = self._rows.place
        left_out = sum(self._skipped[split_name].values())
        but = f" but for {left_out} bad ones" if left_out else ""
        if not counts:
            raise invalid(
                f"{place} has no rows in its {split_name} split{but}; at least one is needed"
            )
        absent = [name for label, name in enumerate(self._rows.class_names) if not counts[label]]
        if split_name == "train" and absent:
            raise invalid(
                f"{place} has no training rows of class {', '.join(map(repr, absent))}{but}; "
                "each class needs at least one"
            )


def _collect(rows: Iterable[Row], *, is_pair: bool) -> Split:
    split = Split([], [] if is_pair else None, [])
    for first, second, label in rows:
        split.first.append(first)
        split.labels.append(label)
        if split.second is not None:
            assert second is not None, "a source of pairs yields pairs"
            split.second.append(second)
    return split
