"""From tables of records to rows: which splits have labels, which class a label is, what is bad."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..stopping import may_stop
from .files import Record
from .labels import (
    LabelRule,
    check_names,
    found_classes,
    is_missing,
    named_classes,
    positions,
    refuse_lists,
)
from .pixels import pixels_of
from .rows import (
    BadRow,
    Content,
    ImageShape,
    Layout,
    Row,
    RowSource,
    SplitName,
    Unusable,
    shown,
)

# Reads a table from its start, and of each record at least the columns asked for.
Table = Callable[[Sequence[str]], Iterator[Record]]

# The content of a row from the value of its column.
ContentOf = Callable[[Any], Content | Unusable]


class Columns(NamedTuple):
    """The columns of contents and labels.

    Attributes:
        texts: one column, of texts or of images, or two of pairs.
        label: another one.
    """

    texts: tuple[str, ...]
    label: str


class Classes(NamedTuple):
    """The classes as far as they are known before reading.

    Attributes:
        names: None where the labels of train are the classes.
        are_positions: whether labels are known to be positions among the names.
    """

    names: tuple[str, ...] | None = None
    are_positions: bool = False


def rows_of_tables(
    place: str,
    tables: Mapping[SplitName, Table],
    columns: Columns,
    classes: Classes,
    layout: Layout,
    image: ImageShape | None = None,
) -> RowSource:
    """Rows of tables; validation stands in for a test split without labels.

    Args:
        place: for messages.
        tables: of each split.
        columns: which to read.
        classes: as far as they are known.
        layout: how the place is laid out.
        image: the shape of images, where the column of contents holds such.

    Raises:
        StillhouseError: invalid for labels that are no classes at all, such as lists.
    """
    rule = _rule(f"{place}: column {columns.label!r}", tables, columns, classes)
    check_names(place, rule.class_names, (*columns.texts, columns.label))
    splits = {split_name: table for split_name, table in tables.items() if split_name == "train"
              or split_name in rule.labelled}  # fmt: skip
    test_from: SplitName = "test"
    if "test" not in splits and "validation" in splits:
        splits["test"], test_from = splits.pop("validation"), "validation"
    content_of: ContentOf = _text if image is None else functools.partial(pixels_of, shape=image)
    return RowSource(
        place=place,
        class_names=rule.class_names,
        text_columns=columns.texts,
        splits={
            split_name: _reader(table, columns, rule, content_of)
            for split_name, table in splits.items()
        },
        layout=layout._replace(label_column=columns.label),
        test_from=test_from,
        # Classes that were made of the labels cannot be mistaken for positions.
        notices=(rule.notice,) if rule.notice and classes.names is not None else (),
        image=image,
    )


def _rule(
    place: str, tables: Mapping[SplitName, Table], columns: Columns, classes: Classes
) -> LabelRule:
    labels = {split_name: _labels(table, columns.label) for split_name, table in tables.items()}
    if classes.names is None:
        return found_classes(labels, place)
    if not classes.are_positions:
        return named_classes(classes.names, labels, place)
    labelled = frozenset(
        split_name
        for split_name, values in labels.items()
        if any(not is_missing(value) for value in values())
    )
    return LabelRule(classes.names, False, positions(len(classes.names)), labelled)


def _labels(table: Table, column: str) -> Callable[[], Iterator[Any]]:
    def read() -> Iterator[Any]:
        for record in table([column]):
            may_stop()
            yield record.values[column]

    return read


def _reader(
    table: Table, columns: Columns, rule: LabelRule, content_of: ContentOf
) -> Callable[[], Iterator[Row | BadRow]]:
    """A function that reads one split from its start at each call."""
    wanted = (*columns.texts, columns.label)
    return lambda: (_row(record, columns, rule, content_of) for record in table(wanted))


def _row(record: Record, columns: Columns, rule: LabelRule, content_of: ContentOf) -> Row | BadRow:
    contents: list[Content] = []
    for column in columns.texts:
        content = content_of(record.values[column])
        if isinstance(content, Unusable):
            return BadRow(content.reason, f"{record.where}: column {column!r} {content.problem}")
        contents.append(content)
    label = record.values[columns.label]
    index = rule.class_of(label)
    if index is None:
        where = f"{record.where}: column {columns.label!r}"
        refuse_lists(label, where)
        reason = "no label" if is_missing(label) else "a label that is not a class"
        return BadRow(
            reason,
            f"{where} holds {shown(label)}, which is not a class; allowed are {rule.allowed}",
        )
    return contents[0], contents[1] if len(contents) == 2 else None, index


def _text(value: Any) -> str | Unusable:
    """The text of a column."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return _no_text(value, "an empty text", "a text that is not empty")
    if not isinstance(value, str):
        return _no_text(value, "something else than a text", "a text that is not empty")
    if value.isascii():
        return value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        needed = (
            "a text of whole characters, without half of a surrogate pair as a cut emoji leaves it"
        )
        return _no_text(value, "half of a surrogate pair", needed)
    return value


def _no_text(value: Any, reason: str, needed: str) -> Unusable:
    return Unusable(reason, f"must hold {needed}, got {shown(value)}")
