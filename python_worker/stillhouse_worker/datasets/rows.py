"""What a labelled text data set is, once read, and what a place to read one from must offer."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

SplitName = Literal["train", "validation", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "validation", "test")

# Text, second text of a pair or None, class index.
Row = tuple[str, str | None, int]


class Split(NamedTuple):
    """Rows of one split, in the order of the file they came from.

    Attributes:
        first: the text, or the first text of a pair.
        second: the second text of each pair; None for single texts.
        labels: class indices, 0 <= label < number of classes.
    """

    first: list[str]
    second: list[str] | None
    labels: list[int]


class Dataset(NamedTuple):
    """A labelled text data set.

    Attributes:
        name: as it was asked for.
        source: "local", "hub" or "packaged".
        class_names: names in the order of the class indices.
        text_columns: one or two column names.
        fingerprint: SHA-256 (hex) over classes, columns and the rows of all splits of the source,
            before anything is held out, so it does not depend on which splits were asked for.
        splits: only the splits that were asked for.
        num_rows: rows of train, validation and test, asked for or not.
    """

    name: str
    source: str
    class_names: tuple[str, ...]
    text_columns: tuple[str, ...]
    fingerprint: str
    splits: dict[str, Split]
    num_rows: dict[str, int]


class RowSource(NamedTuple):
    """A place that rows can be streamed from, split by split.

    Attributes:
        place: file or repository that an error message points at.
        class_names: names in the order of the class indices.
        text_columns: one or two column names.
        splits: for each split that exists, a function that starts reading its rows. "train" is
            always there. Reading raises StillhouseError at the first bad row.
    """

    place: str
    class_names: tuple[str, ...]
    text_columns: tuple[str, ...]
    splits: dict[SplitName, Callable[[], Iterator[Row]]]
