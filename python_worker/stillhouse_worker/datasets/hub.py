"""Sets of the Hugging Face hub, by name, through the ``datasets`` library and its cache.

A set that is in the cache is read from there and the hub is not asked, so an experiment does not
change under its user when a set is updated, and a machine may go offline between two runs.

Test rows need labels. GLUE and some others keep theirs secret (-1): there the official validation
split is the test split, and validation is held out of train. The same holds for a set with train
and validation only.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import FailureKind, StillhouseError
from ..hub_access import hub_is_reachable, hub_offline_reason
from .columns import recognised_columns
from .faults import invalid
from .files import Record
from .hub_cache import cached_folder, open_tables
from .pixels import shape_of
from .rows import ImageShape, Layout, RowSource, SplitName
from .split_files import SPLIT_BY_NAME
from .tables import Classes, Table, rows_of_tables

if TYPE_CHECKING:
    import datasets

_READ_ROWS = 8192


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
    "cifar10": HubEntry("uoft-cs/cifar10", None, ("img",), "label"),
    "fashion_mnist": HubEntry("zalando-datasets/fashion_mnist", None, ("image",), "label"),
}


def hub_entry(name: str) -> HubEntry:
    """The repository of a known name, or of "owner/name" or "owner/name:configuration"."""
    if name in KNOWN_HUB_SETS:
        return KNOWN_HUB_SETS[name]
    repo, _, config = name.partition(":")
    return HubEntry(repo, config or None)


def is_cached(name: str) -> bool:
    """Whether the set is ready in the cache; asks no network and imports nothing slow."""
    return _cached(hub_entry(name)) is not None


def hub_source(name: str, texts: tuple[str, ...] = (), label: str = "") -> RowSource:
    """Open a set of the hub, downloading it first when it is not cached.

    Args:
        name: see `hub_entry`.
        texts: columns of texts; empty: the known ones, or as recognised.
        label: column of labels; empty: the same.

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
    named = HubEntry(
        entry.repo, entry.config, texts or entry.text_columns, label or entry.label_column
    )
    return source_of_tables(name, open_tables(folder), named)


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
    splits = _by_split(tables)
    if "train" not in splits:
        raise invalid(f"data set {name!r} has no split train, only {', '.join(sorted(tables))}")
    train = splits["train"]
    by_type = [column for column, feature in train.features.items() if hasattr(feature, "names")]
    image = _image_column(train, entry)
    texts = entry.text_columns if image is None else (image,)
    columns = recognised_columns(
        f"data set {name!r}", train.column_names, texts, entry.label_column, by_type
    )
    if image is not None:
        splits = {split_name: _encoded(table, image) for split_name, table in splits.items()}
    names = getattr(train.features[columns.label], "names", None)
    return rows_of_tables(
        f"data set {name!r} of the hub",
        {
            split_name: _table(f"data set {name!r} ({split_name})", table)
            for split_name, table in splits.items()
        },
        columns,
        Classes(None if names is None else tuple(names), are_positions=names is not None),
        Layout(is_recognised=not entry.text_columns or not entry.label_column),
        None if image is None else _first_shape(name, splits["train"], image),
    )


def _first_shape(name: str, train: "datasets.Dataset", column: str) -> ImageShape:
    return shape_of(train[0][column], f"data set {name!r} (train) row 1: column {column!r}")


def _image_column(table: "datasets.Dataset", entry: HubEntry) -> str | None:
    """The column of images: the one that is named, or the only one."""
    import datasets

    found = [
        column
        for column, feature in table.features.items()
        if isinstance(feature, datasets.Image) and column in (entry.text_columns or (column,))
    ]
    return found[0] if len(found) == 1 else None


def _encoded(table: "datasets.Dataset", column: str) -> "datasets.Dataset":
    """The same with images as the bytes of their files, which the library would decode."""
    import datasets

    return table.cast_column(column, datasets.Image(decode=False))


def _by_split(tables: "Mapping[str, datasets.Dataset]") -> "dict[SplitName, datasets.Dataset]":
    splits: dict[SplitName, datasets.Dataset] = {}
    for name, split_name in SPLIT_BY_NAME.items():
        if name in tables:
            splits.setdefault(split_name, tables[name])
    return splits


def _table(place: str, table: "datasets.Dataset") -> Table:
    """Reads one split from its start at each call, a few thousand rows at a time."""

    def read(columns: Sequence[str]) -> Iterator[Record]:
        number = 0
        for chunk in table.select_columns(list(columns)).iter(_READ_ROWS):
            for values in zip(*(chunk[column] for column in columns), strict=True):
                number += 1
                yield Record(f"{place} row {number}", dict(zip(columns, values, strict=True)))

    return read


def _cached(entry: HubEntry) -> Path | None:
    return cached_folder(entry.repo, entry.config)


def _one_line(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:300]


def _failure(kind: FailureKind, message: str) -> StillhouseError:
    return StillhouseError(kind, message, field="dataset.name")
