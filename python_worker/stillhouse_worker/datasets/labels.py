"""The class of a value of a label column: by its name, in any file format, else by its position."""

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .faults import invalid
from .rows import SplitName, shown

# 1 in JSON is 1.0 in a column of floats, which has gaps, and either is text in a CSV.
_WHOLE_NUMBER = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0+)?")
_TRUTH = ("true", "false")
# How sets mark a label that is secret or unknown.
_NO_LABEL = "-1"
# A control plane takes confusions of as many classes, and names of as many characters.
_MOST_CLASSES = 1_000
_LONGEST_NAME = 200

LabelValues = Callable[[], Iterable[Any]]


class LabelRule(NamedTuple):
    """How all labels of a data set are read.

    Attributes:
        class_names: in the order of the class indices, as they were written.
        is_by_name: whether labels are names of classes; else they are positions among them.
        classes: class index of each way to write a label.
        labelled: splits of which at least one row has a label.
    """

    class_names: tuple[str, ...]
    is_by_name: bool
    classes: Mapping[str, int]
    labelled: frozenset[SplitName]

    def class_of(self, value: Any) -> int | None:
        """Class index of a label; None where it is not a class."""
        for written in ways_to_write(value):
            if written in self.classes:
                return self.classes[written]
        return None

    @property
    def allowed(self) -> str:
        """The labels that are allowed, for a message."""
        names = ", ".join(self.class_names)
        if self.is_by_name:
            return f"{names}, since labels of this set are names"
        return f"0 to {len(self.class_names) - 1}, or in all rows of the set {names}"

    @property
    def notice(self) -> str:
        """A sentence where labels could also have been read as positions; else empty."""
        if not self.is_by_name:
            return ""
        for position, name in enumerate(self.class_names):
            if not _WHOLE_NUMBER.fullmatch(name) or position == int(float(name)):
                continue
            return (
                f"Labels are read as names of classes and not as positions: {name} is class "
                f"{name!r}, which stands at position {position} of {', '.join(self.class_names)}."
            )
        return ""


def named_classes(
    names: tuple[str, ...], splits: Mapping[SplitName, LabelValues], place: str
) -> LabelRule:
    """The rule for classes whose names are known, found by looking at the labels of all splits.

    Where any label of any split is one of the names, all labels are names; else they are positions.

    Args:
        names: of the classes.
        splits: for each split, a function that reads its labels from the start.
        place: for messages.

    Raises:
        StillhouseError: invalid for lists of labels and for two names that are one.
    """
    by_name = _by_name(names, place)
    is_by_name = False
    labelled: set[SplitName] = set()
    for split_name, labels in splits.items():
        for value in labels():
            refuse_lists(value, place)
            is_name = any(written in by_name for written in ways_to_write(value))
            is_by_name = is_by_name or is_name
            if is_name or not is_missing(value):
                labelled.add(split_name)
            if is_by_name and split_name in labelled:
                break
    classes = by_name if is_by_name else positions(len(names))
    return LabelRule(names, is_by_name, classes, frozenset(labelled))


def found_classes(splits: Mapping[SplitName, LabelValues], place: str) -> LabelRule:
    """The rule for unnamed classes: they are the labels of train, in order.

    Raises:
        StillhouseError: invalid for labels that are lists or fractions, and for fewer than two or
            too many different ones.
    """
    found: set[str] = set()
    for value in splits["train"]():
        refuse_lists(value, place)
        if is_missing(value):
            continue
        if isinstance(value, float) and not value.is_integer():
            raise invalid(f"{place} holds the fraction {shown(value)}, which is not a class")
        found.add(ways_to_write(value)[-1])
        if len(found) > _MOST_CLASSES:
            raise invalid(
                f"{place} holds more than {_MOST_CLASSES:,} different values; a set has at most as "
                "many classes, so is it the column of the labels?"
            )
    if len(found) < 2:
        raise invalid(
            f"{place} must hold two or more classes, got {', '.join(sorted(found)) or 'none'}"
        )
    rule = named_classes(_in_order(found), splits, place)
    # They are the labels themselves, also where they look like positions.
    return rule._replace(is_by_name=True, classes=_by_name(rule.class_names, place))


def ways_to_write(value: Any) -> tuple[str, ...]:
    """The possible names of a class that a file gives as this value, the plainest one last."""
    if isinstance(value, bool):
        return str(value).lower(), str(value).upper(), str(value)
    if isinstance(value, int):
        return (str(value),)
    if isinstance(value, float):
        return (str(value), str(int(value))) if value.is_integer() else (str(value),)
    if not isinstance(value, str):
        return ()
    text = unicodedata.normalize("NFC", value)
    number = _WHOLE_NUMBER.fullmatch(text)
    if number is not None:
        return text, number[1]
    if text.lower() in _TRUTH:
        return text, *ways_to_write(text.lower() == "true")
    return (text,)


def check_names(place: str, classes: Sequence[str], columns: Sequence[str]) -> None:
    """Raise ``invalid`` where there are more classes, or longer names, than can be stored."""
    if len(classes) > _MOST_CLASSES:
        raise invalid(f"{place} has {len(classes):,} classes; at most are {_MOST_CLASSES:,}")
    for name in (*classes, *columns):
        if len(name) > _LONGEST_NAME:
            raise invalid(
                f"{place} has a name of {len(name)} characters; at most are {_LONGEST_NAME}, got "
                f"{shown(name)}"
            )


def positions(num_classes: int) -> dict[str, int]:
    """Class index of each way to write a label that is a position."""
    return {str(position): position for position in range(num_classes)}


def is_missing(value: Any) -> bool:
    """Whether a value means that a row has no label: None, NaN or -1."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    if isinstance(value, str) and not value.strip():
        return True
    return _NO_LABEL in ways_to_write(value)


def refuse_lists(value: Any, place: str) -> None:
    """Raise ``invalid`` where a row has several labels."""
    if isinstance(value, list | tuple):
        raise invalid(
            f"{place} is multi-label: it holds a list of labels per row, {shown(value)}, "
            "and a row must have one class"
        )


def _by_name(names: tuple[str, ...], place: str) -> dict[str, int]:
    classes = {unicodedata.normalize("NFC", name): at for at, name in enumerate(names)}
    if len(classes) < len(names):
        raise invalid(f"{place}: two of the classes {', '.join(names)} have the same name")
    return classes


def _in_order(found: set[str]) -> tuple[str, ...]:
    if {name.lower() for name in found} == set(_TRUTH):
        return "False", "True"
    if all(_WHOLE_NUMBER.fullmatch(name) for name in found):
        return tuple(sorted(found, key=int))
    return tuple(sorted(found))
