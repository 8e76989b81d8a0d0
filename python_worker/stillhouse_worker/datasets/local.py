"""A data set in a folder of one's own: ``dataset.json`` and one file a split."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import StillhouseError
from .files import SUFFIXES, Record, read_records
from .rows import SPLIT_NAMES, Row, RowSource, SplitName

_DESCRIPTION = "dataset.json"
_REQUIRED_KEYS = ("labels", "text_columns", "label_column")
# Read by people only.
_OPTIONAL_KEYS = ("name", "licence", "note")


class _Columns(NamedTuple):
    texts: tuple[str, ...]
    label: str
    class_names: tuple[str, ...]


def has_local(name: str, data_dir: str | None) -> bool:
    """Whether ``data_dir`` holds a folder of that name with a ``dataset.json``."""
    if data_dir is None or not name or ".." in Path(name).parts or Path(name).is_absolute():
        return False
    return (Path(data_dir) / name / _DESCRIPTION).is_file()


def local_names(data_dir: str | None) -> list[str]:
    """Names of the data sets in ``data_dir``, sorted; none when there is no such folder."""
    if data_dir is None or not Path(data_dir).is_dir():
        return []
    return sorted(path.parent.name for path in Path(data_dir).glob(f"*/{_DESCRIPTION}"))


def local_source(name: str, data_dir: str | None) -> RowSource:
    """Open ``data_dir/name``; no row is read yet.

    Raises:
        StillhouseError: not_found without folder, dataset.json, train or test; invalid when
            dataset.json or the files beside it are not as documented.
    """
    if data_dir is None or not Path(data_dir).is_dir():
        raise StillhouseError(
            "not_found", f"data folder {data_dir!r} is not a folder", field="dataset.data_dir"
        )
    folder = Path(data_dir) / name
    if not has_local(name, data_dir):
        raise _not_found(f"{folder} holds no {_DESCRIPTION}, so it is not a data set folder")
    columns = _read_description(folder / _DESCRIPTION)
    files = {split_name: _split_file(folder, split_name) for split_name in SPLIT_NAMES}
    return RowSource(
        place=str(folder),
        class_names=columns.class_names,
        text_columns=columns.texts,
        splits={
            split_name: _reader(path, columns)
            for split_name, path in files.items()
            if path is not None
        },
    )


def _read_description(path: Path) -> _Columns:
    try:
        description = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise _invalid(f"{path} is not JSON: {error}") from None
    if not isinstance(description, dict):
        raise _invalid(f"{path} must hold a JSON object, got {_shown(description)}")
    allowed = (*_REQUIRED_KEYS, *_OPTIONAL_KEYS)
    for key in description:
        if key not in allowed:
            raise _invalid(f"{path} has unknown key {key!r}; allowed are {', '.join(allowed)}")
    for key in _REQUIRED_KEYS:
        if key not in description:
            raise _invalid(f"{path} has no key {key!r}; needed are {', '.join(_REQUIRED_KEYS)}")
    return _Columns(
        texts=_names(path, description, "text_columns", 1, 2),
        label=_label_column(path, description),
        class_names=_names(path, description, "labels", 2, None),
    )


def _names(
    path: Path, description: Mapping[str, Any], key: str, least: int, most: int | None
) -> tuple[str, ...]:
    names = description[key]
    needed = f"{least} or more" if most is None else f"{least} or {most}"
    if (
        not isinstance(names, list)
        or not all(isinstance(name, str) and name for name in names)
        or len(set(names)) != len(names)
        or not least <= len(names) <= (most or len(names))
    ):
        raise _invalid(
            f"{path}: {key} must be a list of {needed} different names, got {_shown(names)}"
        )
    return tuple(names)


def _label_column(path: Path, description: Mapping[str, Any]) -> str:
    column = description["label_column"]
    if not isinstance(column, str) or not column or column in description["text_columns"]:
        raise _invalid(
            f"{path}: label_column must be a name that is not a text column, got {_shown(column)}"
        )
    return column


def _split_file(folder: Path, split_name: SplitName) -> Path | None:
    found = [
        folder / f"{split_name}{suffix}"
        for suffix in SUFFIXES
        if (folder / f"{split_name}{suffix}").is_file()
    ]
    if len(found) > 1:
        raise _invalid(
            f"{folder} has more than one {split_name} file: "
            f"{', '.join(path.name for path in found)}; keep one"
        )
    if not found and split_name != "validation":
        raise _not_found(
            f"{folder} has no {split_name} file; allowed is {split_name} with one of the endings "
            f"{', '.join(SUFFIXES)}"
        )
    return found[0] if found else None


def _reader(path: Path, columns: _Columns) -> Callable[[], Iterator[Row]]:
    """A function that reads one split file from its start at each call."""
    texts, label_column, class_names = columns
    labels = {name: index for index, name in enumerate(class_names)}

    def read() -> Iterator[Row]:
        for record in read_records(path, (*texts, label_column)):
            first = _text(record, texts[0])
            second = _text(record, texts[1]) if len(texts) == 2 else None
            yield first, second, _label(record, label_column, labels)

    return read


def _text(record: Record, column: str) -> str:
    text = record.values[column]
    if not isinstance(text, str) or not text.strip():
        raise _invalid(
            f"{record.where}: column {column!r} must hold a text that is not empty, "
            f"got {_shown(text)}"
        )
    return text


def _label(record: Record, column: str, labels: Mapping[str, int]) -> int:
    """Class index of a label given as class name or as index (a CSV holds it as text)."""
    value = record.values[column]
    if isinstance(value, str):
        if value in labels:
            return labels[value]
        if value.isascii() and value.isdigit() and int(value) < len(labels):
            return int(value)
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(labels):
        return value
    raise _invalid(
        f"{record.where}: column {column!r} holds {_shown(value)}, which is no class; allowed are "
        f"{', '.join(labels)} or 0 to {len(labels) - 1}"
    )


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _invalid(message: str) -> StillhouseError:
    return StillhouseError("invalid", message, field="dataset.name")


def _not_found(message: str) -> StillhouseError:
    return StillhouseError("not_found", message, field="dataset.name")
