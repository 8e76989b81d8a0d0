"""A local data set: a folder with one file per split, with or without ``dataset.json``, or
one file of rows."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import StillhouseError
from .columns import recognised_columns
from .faults import invalid, not_found
from .file_bytes import open_bytes
from .files import SUFFIXES, Record, read_records, suffix_of
from .rows import Layout, RowSource, SplitName, shown
from .split_files import found_below, has_train_file, split_files
from .tables import Classes, Columns, Table, rows_of_tables

_DESCRIPTION = "dataset.json"
_REQUIRED_KEYS = ("labels", "text_columns", "label_column")
# Only people read these.
_OPTIONAL_KEYS = ("name", "licence", "note")


class _Description(NamedTuple):
    columns: Columns
    class_names: tuple[str, ...]


def has_local(name: str, data_dir: str | None) -> bool:
    """Whether ``data_dir`` holds a data set of that name: a folder, or a file of rows."""
    if data_dir is None or not name or ".." in Path(name).parts or Path(name).is_absolute():
        return False
    path = found_below(Path(data_dir), name)
    return is_set_folder(path) or (path.is_file() and bool(suffix_of(path.name)))


def is_set_folder(path: Path) -> bool:
    """Whether a path is a folder with ``dataset.json`` or a train file."""
    return path.is_dir() and ((path / _DESCRIPTION).is_file() or has_train_file(path))


def local_names(data_dir: str | None) -> list[str]:
    """Names of the data sets in ``data_dir``, sorted; none when there is no such folder."""
    if data_dir is None or not Path(data_dir).is_dir():
        return []
    return sorted(path.name for path in Path(data_dir).iterdir() if is_set_folder(path))


def local_source(
    name: str, data_dir: str | None, texts: tuple[str, ...] = (), label: str = ""
) -> RowSource:
    """Open ``data_dir/name``.

    Args:
        name: of a folder or a file.
        data_dir: where it is.
        texts: columns of texts; empty: as dataset.json says, or as recognised.
        label: column of labels; empty: the same.

    Raises:
        StillhouseError: not_found without folder or train file; invalid when dataset.json or the
            files beside it are not as documented.
    """
    if data_dir is None or not Path(data_dir).is_dir():
        raise StillhouseError(
            "not_found", f"data folder {data_dir!r} is not a folder", field="dataset.data_dir"
        )
    place = found_below(Path(data_dir), name)
    if not has_local(name, data_dir):
        raise not_found(
            f"{Path(data_dir) / name} is not a data set: neither a folder that holds "
            f"{_DESCRIPTION} or a train file, nor a file that ends in {', '.join(SUFFIXES)}"
        )
    files: dict[SplitName, tuple[Path, ...]] = (
        {"train": (place,)} if place.is_file() else split_files(place)
    )
    description = _description(place / _DESCRIPTION)
    columns = _columns(place, files["train"][0], description, texts, label)
    is_described = description is not None and description.columns.label == columns.label
    return rows_of_tables(
        str(place),
        {split_name: _table(paths) for split_name, paths in files.items()},
        columns,
        Classes(description.class_names if is_described and description else None),
        Layout(
            files={split_name: _names_of(paths) for split_name, paths in files.items()},
            is_recognised=not is_described,
        ),
    )


def _names_of(paths: Sequence[Path]) -> tuple[str, ...]:
    return tuple(path.name for path in paths)


def _columns(
    place: Path,
    train: Path,
    description: _Description | None,
    texts: tuple[str, ...],
    label: str,
) -> Columns:
    if description is not None:
        described = description.columns
        if not texts and not label:
            return described
        texts, label = texts or described.texts, label or described.label
    first = next(read_records(train, None), None)
    if first is None:
        raise invalid(f"{place} has no rows in its train split; at least one is needed")
    return recognised_columns(str(train), list(first.values), texts, label)


def _table(paths: Sequence[Path]) -> Table:
    def read(columns: Sequence[str]) -> Iterator[Record]:
        return chain.from_iterable(read_records(path, columns) for path in paths)

    return read


def _description(path: Path) -> _Description | None:
    if not path.is_file():
        return None
    try:
        with open_bytes(path) as file:
            description = json.loads(file.read())
    except (ValueError, OSError, RecursionError) as error:
        raise invalid(f"{path} is not JSON: {error}") from None
    if not isinstance(description, dict):
        raise invalid(f"{path} must hold a JSON object, got {shown(description)}")
    allowed = (*_REQUIRED_KEYS, *_OPTIONAL_KEYS)
    for key in description:
        if key not in allowed:
            raise invalid(f"{path} has unknown key {key!r}; allowed are {', '.join(allowed)}")
    for key in _REQUIRED_KEYS:
        if key not in description:
            raise invalid(f"{path} has no key {key!r}; needed are {', '.join(_REQUIRED_KEYS)}")
    columns = Columns(
        _names(path, description, "text_columns", 1, 2), _label_column(path, description)
    )
    return _Description(columns, _names(path, description, "labels", 2, None))


def _names(
    path: Path, description: Mapping[str, Any], key: str, least: int, most: int | None
) -> tuple[str, ...]:
    names = description[key]
    needed = f"{least} or more" if most is None else f"{least} or {most}"
    if (
        not isinstance(names, list)
        or not all(_is_name(name) for name in names)
        or len(set(names)) != len(names)
        or not least <= len(names) <= (most or len(names))
    ):
        raise invalid(
            f"{path}: {key} must be a list of {needed} different names, got {shown(names)}"
        )
    return tuple(names)


def _label_column(path: Path, description: Mapping[str, Any]) -> str:
    column = description["label_column"]
    if not _is_name(column) or column in description["text_columns"]:
        raise invalid(
            f"{path}: label_column must be a name that is not a text column, got {shown(column)}"
        )
    return str(column)


def _is_name(name: object) -> bool:
    """A text that is not empty and can be written as UTF-8."""
    if not isinstance(name, str) or not name:
        return False
    return name.isascii() or name == name.encode("utf-8", "replace").decode("utf-8")
