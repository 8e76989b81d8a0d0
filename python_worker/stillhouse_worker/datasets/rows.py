"""A labelled data set after reading, and the interface of a source of rows."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

SplitName = Literal["train", "validation", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "validation", "test")

# What happens to rows that cannot be used.
BadRows = Literal["skip", "refuse"]

# A text, or the pixels of an image: a byte per value, channel by channel, each row by row.
Content = str | bytes

# Content, second text of a pair or None, class index.
Row = tuple[Content, Content | None, int]


class ImageShape(NamedTuple):
    """The shape of every image of a set."""

    channels: int
    height: int
    width: int

    @property
    def num_values(self) -> int:
        """Bytes of the pixels of an image."""
        return self.channels * self.height * self.width

    def __str__(self) -> str:
        kind = {1: "grey", 3: "RGB"}.get(self.channels, f"{self.channels}-channel")
        return f"{kind} {self.width} x {self.height}"


class PixelStatistics(NamedTuple):
    """Mean and standard deviation of each channel over train, of values in 0..1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class BadRow(NamedTuple):
    """A row that cannot be used.

    Attributes:
        reason: why, in words that many rows may share.
        message: the same of this row, with file, row, value and what is allowed.
    """

    reason: str
    message: str


class Split(NamedTuple):
    """Rows of one split, in the order of the file they came from.

    Attributes:
        first: the text, the first text of a pair, or the pixels of an image.
        second: the second text of each pair; None otherwise.
        labels: class indices, 0 <= label < number of classes.
    """

    first: list[Content]
    second: list[Content] | None
    labels: list[int]


def encoded(content: Content) -> bytes:
    """UTF-8 of a text; pixels as they are."""
    return content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")


def content_bytes(split: Split, rows: Iterable[int] | None = None) -> int:
    """UTF-8 bytes of the texts of these rows, or their pixels; of all where none are named."""
    chosen = range(len(split.labels)) if rows is None else rows
    columns = (split.first,) if split.second is None else (split.first, split.second)
    return sum(len(encoded(column[row])) for row in chosen for column in columns)


class Unusable(NamedTuple):
    """Content that cannot be used.

    Attributes:
        reason: why, in words that many rows may share.
        problem: the same of this one, to follow the place where it is.
    """

    reason: str
    problem: str


class SkippedRows(NamedTuple):
    """The number of rows of a split that were left out for one reason."""

    split: str
    reason: str
    rows: int


class Dataset(NamedTuple):
    """A labelled data set of texts or images.

    Attributes:
        name: as it was asked for.
        source: "local", "hub" or "packaged".
        class_names: names in the order of the class indices.
        text_columns: one or two column names; empty for images that no table holds.
        fingerprint: SHA-256 (hex) over classes, columns and the rows of all splits of the source,
            before anything is held out, so it does not depend on which splits were asked for.
        splits: only the splits that were asked for.
        num_rows: rows of train, validation and test, asked for or not.
        layout: how the place that it was read from is laid out.
        skipped: rows that were left out.
        test_from: "test", or the split that the test rows were taken from.
        test_rows_in_train: test rows whose texts train has too; None where that was not asked for.
        notices: sentences that a person should read before using the set.
        image: the shape of its images; None for texts.
        pixels: of train, after something was held out of it; None for texts.
    """

    name: str
    source: str
    class_names: tuple[str, ...]
    text_columns: tuple[str, ...]
    fingerprint: str
    splits: dict[str, Split]
    num_rows: dict[str, int]
    layout: "Layout"
    skipped: tuple[SkippedRows, ...]
    test_from: SplitName
    test_rows_in_train: int | None
    notices: tuple[str, ...]
    image: ImageShape | None = None
    pixels: PixelStatistics | None = None


class Layout(NamedTuple):
    """The facts about the source of a data set.

    Attributes:
        label_column: empty where rows have none, since each class is a folder.
        files: names of the files of each split; empty where it is not made of files.
        is_recognised: whether columns or classes were recognised by us and not named by a person.
    """

    label_column: str = ""
    files: dict[SplitName, tuple[str, ...]] = {}  # noqa: RUF012  # never changed
    is_recognised: bool = False


class RowSource(NamedTuple):
    """A place that rows can be streamed from, split by split.

    Attributes:
        place: file or repository that an error message points at.
        class_names: names in the order of the class indices.
        text_columns: one or two column names; empty for images that no table holds.
        splits: for each split that exists, a function that starts reading its rows. "train" is
            always there. Reading gives a `BadRow` for each row that cannot be used, and raises
            StillhouseError where the file itself is broken.
        layout: how the place is laid out.
        test_from: "validation" where that split stands in for a test split without labels.
        notices: sentences about how the rows are read.
        image: the shape of its images; None for texts.
    """

    place: str
    class_names: tuple[str, ...]
    text_columns: tuple[str, ...]
    splits: dict[SplitName, Callable[[], Iterator[Row | BadRow]]]
    layout: Layout = Layout()
    test_from: SplitName = "test"
    notices: tuple[str, ...] = ()
    image: ImageShape | None = None


def shown(value: object) -> str:
    """A value of a file as a message shows it: JSON, cut after 80 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = text if len(text) <= 80 else f"{text[:77]}..."
    # A lone surrogate could not be printed.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
