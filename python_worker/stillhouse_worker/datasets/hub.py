"""Sets of the Hugging Face hub, by name, through the ``datasets`` library and its cache.

A set that is in the cache is read from there and the hub is not asked, so an experiment does not
change under its user when a set is updated, and a machine may go offline between two runs.

Test rows need labels. GLUE and some others keep theirs secret (-1): there the official validation
split is the test split, and validation is held out of train. The same holds for a set with train
and validation only.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import FailureKind, StillhouseError
from ..hub_access import hub_is_reachable, hub_offline_reason
from .hub_cache import cached_folder, open_tables
from .rows import SPLIT_NAMES, Row, RowSource, SplitName

if TYPE_CHECKING:
    import datasets

_READ_ROWS = 8192
_HIDDEN_LABEL = -1


class HubEntry(NamedTuple):
    """Where a set is on the hub.

    Attributes:
        repo: repository, "owner/name".
        config: configuration; None where there is only one.
        text_columns: empty where they are to be recognised.
        label_column: empty where it is to be recognised.
    """

    repo: str
    config: str | None
    text_columns: tuple[str, ...] = ()
    label_column: str = ""


_GLUE = "nyu-mll/glue"
KNOWN_HUB_SETS: Mapping[str, HubEntry] = {
    "ag_news": HubEntry("fancyzhx/ag_news", None, ("text",), "label"),
    "sst2": HubEntry(_GLUE, "sst2", ("sentence",), "label"),
    "mrpc": HubEntry(_GLUE, "mrpc", ("sentence1", "sentence2"), "label"),
    "qnli": HubEntry(_GLUE, "qnli", ("question", "sentence"), "label"),
}

# Tried in this order when a set is not one of the known ones.
_PAIRS = (
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("text1", "text2"),
)
_SINGLES = ("text", "sentence", "content", "review", "document", "headline")
_LABELS = ("label", "labels", "class", "category", "target")


def hub_entry(name: str) -> HubEntry:
    """The repository of a known name, or of "owner/name" or "owner/name:configuration"."""
    if name in KNOWN_HUB_SETS:
        return KNOWN_HUB_SETS[name]
    repo, _, config = name.partition(":")
    return HubEntry(repo, config or None)


def is_cached(name: str) -> bool:
    """Whether the set is ready in the cache; asks no network and imports nothing slow."""
    return _cached(hub_entry(name)) is not None


def hub_source(name: str) -> RowSource:
    """Open a set of the hub, downloading it first when it is not cached.

    Raises:
        StillhouseError: not_found, environment when the hub cannot be reached, or invalid when
            text and label columns cannot be recognised.
    """
    entry = hub_entry(name)
    if _cached(entry) is None:
        download(name)
    folder = _cached(entry)
    if folder is None:
        raise _failure("environment", f"data set {name!r} was downloaded, but is not in the cache")
    return source_of_tables(name, open_tables(folder), entry)


def download(name: str) -> None:
    """Download a set into the cache, with the library's progress bars on stderr.

    Raises:
        StillhouseError: environment when the hub is out of reach, not_found when it has no such
            set, invalid when it needs a configuration.
    """
    if not hub_is_reachable():
        raise _failure(
            "environment",
            f"data set {name!r} is not cached and the hub cannot be reached: "
            f"{hub_offline_reason()}",
        )
    import datasets

    entry = hub_entry(name)
    try:
        datasets.load_dataset(entry.repo, entry.config)
    except datasets.exceptions.DatasetNotFoundError:
        raise _failure(
            "not_found", f"the hub has no data set {entry.repo!r} that can be read"
        ) from None
    except ValueError as error:
        raise _failure("invalid", f"data set {name!r} on the hub: {_one_line(error)}") from None
    except Exception as error:  # the library's own failures share no base class
        raise _failure(
            "environment", f"download of data set {name!r} failed: {_one_line(error)}"
        ) from error


def source_of_tables(
    name: str, tables: "Mapping[str, datasets.Dataset]", entry: HubEntry
) -> RowSource:
    """Rows of a set's tables, by the library's names of its splits.

    Args:
        name: for messages.
        tables: for each split, a table.
        entry: says which columns to take, or leaves them to be recognised.
    """
    if "train" not in tables:
        raise _failure(
            "invalid", f"data set {name!r} has no split train, only {', '.join(sorted(tables))}"
        )
    train = tables["train"]
    texts = entry.text_columns or _recognised_texts(name, train)
    label = entry.label_column or _recognised_label(name, train)
    class_names, indices = _classes(name, train, label)
    return RowSource(
        place=f"data set {name!r} of the hub",
        class_names=class_names,
        text_columns=texts,
        splits={
            split_name: _reader(f"data set {name!r} ({split_name})", table, texts, label, indices)
            for split_name, table in _labelled_splits(tables, label).items()
        },
    )


def _labelled_splits(
    tables: "Mapping[str, datasets.Dataset]", label: str
) -> "dict[SplitName, datasets.Dataset]":
    """Splits with labels; validation stands in for a test split that has none."""
    labelled = {
        split_name: tables[split_name]
        for split_name in SPLIT_NAMES
        if split_name in tables and tables[split_name].unique(label) != [_HIDDEN_LABEL]
    }
    if "test" not in labelled and "validation" in labelled:
        labelled["test"] = labelled.pop("validation")
    return labelled


def _recognised_texts(name: str, table: "datasets.Dataset") -> tuple[str, ...]:
    columns = set(table.column_names)
    for candidate in (*_PAIRS, *((single,) for single in _SINGLES)):
        if columns.issuperset(candidate):
            return candidate
    raise _unrecognised(name, "text", table)


def _recognised_label(name: str, table: "datasets.Dataset") -> str:
    by_type = [column for column, feature in table.features.items() if hasattr(feature, "names")]
    if len(by_type) == 1:
        return by_type[0]
    for candidate in _LABELS:
        if candidate in table.column_names:
            return candidate
    raise _unrecognised(name, "label", table)


def _unrecognised(name: str, what: str, table: "datasets.Dataset") -> StillhouseError:
    known = (*map(" + ".join, _PAIRS), *_SINGLES) if what == "text" else _LABELS
    return _failure(
        "invalid",
        f"data set {name!r} has no {what} column that can be recognised: it has "
        f"{', '.join(table.column_names)}; recognised are {', '.join(known)}",
    )


def _classes(
    name: str, train: "datasets.Dataset", label: str
) -> tuple[tuple[str, ...], dict[Any, int]]:
    """Class names, and the index of each value that the label column may hold."""
    names = getattr(train.features[label], "names", None)
    if names is not None:
        return tuple(names), {index: index for index in range(len(names))}
    values = train.unique(label)
    if len(values) < 2 or {type(value) for value in values} not in ({int}, {str}):
        raise _failure(
            "invalid",
            f"data set {name!r}: label column {label!r} must hold two or more classes as integers "
            f"or as texts, got {', '.join(map(repr, values[:5]))}",
        )
    ordered = sorted(values)
    return tuple(map(str, ordered)), {value: index for index, value in enumerate(ordered)}


def _reader(
    where: str,
    table: "datasets.Dataset",
    texts: tuple[str, ...],
    label: str,
    indices: Mapping[Any, int],
) -> Callable[[], Iterator[Row]]:
    """A function that reads one split from its start at each call, a few thousand rows a time."""

    def read() -> Iterator[Row]:
        number = 0
        for columns in table.select_columns([*texts, label]).iter(_READ_ROWS):
            second = columns[texts[1]] if len(texts) == 2 else [None] * len(columns[label])
            for row in zip(columns[texts[0]], second, columns[label], strict=True):
                number += 1
                yield _checked(f"{where} row {number}", row, indices, len(texts))

    return read


def _checked(
    where: str, row: tuple[Any, Any, Any], indices: Mapping[Any, int], num_texts: int
) -> Row:
    first, second, label = row
    for text in (first, second)[:num_texts]:
        if not isinstance(text, str) or not text.strip():
            raise _failure("invalid", f"{where} must hold texts that are not empty, got {text!r}")
    if label not in indices:
        raise _failure(
            "invalid",
            f"{where} has label {label!r}, which is no class; allowed are "
            f"{', '.join(map(repr, indices))}",
        )
    return first, second, indices[label]


def _cached(entry: HubEntry) -> Path | None:
    return cached_folder(entry.repo, entry.config)


def _one_line(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:300]


def _failure(kind: FailureKind, message: str) -> StillhouseError:
    return StillhouseError(kind, message, field="dataset.name")
