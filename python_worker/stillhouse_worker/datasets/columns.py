"""Recognises the columns of texts and labels of a table where nobody has named them."""

from collections.abc import Sequence

from .faults import invalid
from .tables import Columns

# Tried in this order.
_PAIRS = (
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("text1", "text2"),
)
_SINGLES = ("text", "sentence", "content", "review", "document", "headline")
_LABELS = ("label", "labels", "class", "category", "target")


def recognised_columns(
    place: str,
    present: Sequence[str],
    texts: tuple[str, ...] = (),
    label: str = "",
    likely_labels: Sequence[str] = (),
) -> Columns:
    """The columns that are named, and by their names those that are not.

    Args:
        place: for messages.
        present: all columns.
        texts: those of texts that a person has named; empty where none was.
        label: the same for labels.
        likely_labels: columns whose type is that of labels.

    Raises:
        StillhouseError: invalid when a named one is not there or the others cannot be recognised.
    """
    for flag, named in (("--text-column", texts), ("--label-column", (label,) if label else ())):
        for column in named:
            if column not in present:
                raise invalid(
                    f"{place} has no column {column!r} ({flag}), only {', '.join(present)}"
                )
    if label in texts:
        raise invalid(f"{place}: the column {label!r} cannot hold both texts and labels")
    found_label = label or _label(present, likely_labels)
    found_texts = texts or _texts([column for column in present if column != found_label])
    # Of two columns, the unknown one has the role that the other one does not have.
    if len(present) == 2 and found_texts and not found_label:
        found_label = next(column for column in present if column not in found_texts)
    if len(present) == 2 and found_label and not found_texts:
        found_texts = tuple(column for column in present if column != found_label)
    if not found_texts:
        raise _unrecognised(place, "text", present)
    if not found_label:
        raise _unrecognised(place, "label", present)
    return Columns(found_texts, found_label)


def _texts(present: Sequence[str]) -> tuple[str, ...]:
    by_name = {column.casefold(): column for column in present}
    for candidate in (*_PAIRS, *((single,) for single in _SINGLES)):
        if all(name in by_name for name in candidate):
            return tuple(by_name[name] for name in candidate)
    return ()


def _label(present: Sequence[str], likely: Sequence[str]) -> str:
    if len(likely) == 1:
        return likely[0]
    by_name = {column.casefold(): column for column in present}
    return next((by_name[name] for name in _LABELS if name in by_name), "")


def _unrecognised(place: str, what: str, present: Sequence[str]) -> Exception:
    known = (*map(" + ".join, _PAIRS), *_SINGLES) if what == "text" else _LABELS
    return invalid(
        f"{place} has no {what} column that can be recognised: it has {', '.join(present)}; "
        f"recognised are {', '.join(known)}; name it by --{what}-column"
    )
