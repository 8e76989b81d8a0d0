"""The file formats a split may have, each read as a stream of records that know their place."""

import csv
import json
import sys
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import StillhouseError
from .faults import invalid
from .file_bytes import GZIP_ENDING, open_bytes, open_text, refuse_pointer
from .rows import shown

PARQUET = ".parquet"
_PARQUET_ROWS = 8192
# Enough to see what a JSON file begins with.
_JSON_START = 4096
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


class Record(NamedTuple):
    """One row of a file.

    Attributes:
        where: file and line (or row) for a message, counted from 1.
        values: at least the requested columns.
    """

    where: str
    values: dict[str, Any]


def read_records(path: Path, columns: Sequence[str] | None) -> Iterator[Record]:
    """Stream the rows of a file whose name ends in one of ``SUFFIXES``.

    Args:
        path: of the file.
        columns: that each row must have, in any Unicode normal form; None for those that are there.

    Raises:
        StillhouseError: invalid at the first row that cannot be read or lacks one of ``columns``.
    """
    try:
        yield from _READERS[suffix_of(path.name)](path, columns)
    except (OSError, EOFError, zlib.error) as error:
        raise invalid(f"{path} cannot be read: {error}") from None
    except UnicodeDecodeError as error:
        raise invalid(f"{path} is not UTF-8: {error}") from None


def suffix_of(name: str) -> str:
    """The one of ``SUFFIXES`` that a file's name ends in; empty where there is none."""
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def _read_jsonl(path: Path, columns: Sequence[str] | None) -> Iterator[Record]:
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"{path} line {number}"
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                _refuse_array(path, line)
                raise invalid(f"{where} is not JSON: {error}") from None
            if isinstance(values, list) and values and isinstance(values[0], dict):
                _refuse_array(path, line)
            yield _json_record(where, values, columns)


def _refuse_array(path: Path, line: bytes) -> None:
    if line.lstrip().startswith(b"["):
        raise invalid(
            f"{path} holds one JSON array and not a JSON object per line; "
            f"rename it to {path.name.partition('.')[0]}.json"
        )


def _read_json(path: Path, columns: Sequence[str] | None) -> Iterator[Record]:
    """An array of objects, or an object per line."""
    with open_bytes(path) as file:
        begin = file.tell()
        is_array = file.read(_JSON_START).lstrip().startswith(b"[")
        file.seek(begin)
        if is_array:
            yield from _array_records(path, file.read(), columns)
            return
    yield from _read_jsonl(path, columns)


def _array_records(path: Path, text: bytes, columns: Sequence[str] | None) -> Iterator[Record]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid(f"{path} is not JSON: {error}") from None
    for number, values in enumerate(rows, start=1):
        yield _json_record(f"{path} row {number}", values, columns)


def _json_record(where: str, values: Any, columns: Sequence[str] | None) -> Record:
    if not isinstance(values, dict):
        raise invalid(f"{where} must hold a JSON object, got {shown(values)}")
    missing = [column for column in columns or () if column not in values]
    if missing:
        actual = _actual_names(where, missing, list(values))
        values.update({column: values[name] for column, name in actual.items()})
    return Record(where, values)


def _read_csv(path: Path, columns: Sequence[str] | None) -> Iterator[Record]:
    separator = "\t" if suffix_of(path.name).startswith(".tsv") else ","
    # The module's limit of 131,072 characters a field is a setting of the process; a text may be
    # longer, and nothing else here reads CSV.
    csv.field_size_limit(sys.maxsize)
    with open_text(path) as file:
        reader = csv.reader(file, delimiter=separator, strict=True)
        try:
            header = next(reader, [])
            _refuse_other_separator(path, header, separator)
            names = dict(enumerate(header))
            actual = _actual_names(f"{path} line 1", columns or (), header)
            names.update({header.index(name): column for column, name in actual.items()})
            for cells in reader:
                if not cells:
                    continue
                where = f"{path} line {reader.line_num}"
                if len(cells) != len(header):
                    raise invalid(f"{where} has {len(cells)} columns, the header {len(header)}")
                yield Record(where, dict(zip(names.values(), cells, strict=True)))
        except csv.Error as error:
            raise invalid(f"{path} line {reader.line_num} is not CSV: {error}") from None


def _refuse_other_separator(path: Path, header: list[str], separator: str) -> None:
    if len(header) != 1:
        return
    for other, name in _SEPARATORS.items():
        if other in header[0]:
            raise invalid(
                f"{path} is separated by {name}; its name says {_SEPARATORS[separator]}, so save "
                f"it with those"
            )


def _read_parquet(path: Path, columns: Sequence[str] | None) -> Iterator[Record]:
    # Slow to import, and the other formats do without it.
    import pyarrow
    from pyarrow import parquet

    refuse_pointer(path)
    try:
        with parquet.ParquetFile(path) as file:
            present = file.schema_arrow.names
            actual = _actual_names(str(path), present if columns is None else columns, present)
            number = 0
            for batch in file.iter_batches(_PARQUET_ROWS, columns=list(actual.values())):
                for values in batch.to_pylist():
                    number += 1
                    yield Record(
                        f"{path} row {number}",
                        {column: values[name] for column, name in actual.items()},
                    )
    except pyarrow.ArrowException as error:
        raise invalid(f"{path} is not Parquet: {str(error).splitlines()[0]}") from None


def _actual_names(where: str, columns: Sequence[str], present: Sequence[str]) -> Mapping[str, str]:
    """The name of each column in the file, which may be in another Unicode normal form."""
    actual: dict[str, str] = {}
    for column in columns:
        found = [name for name in present if name == column] or [
            name for name in present if _normal(name) == _normal(column)
        ]
        if len(found) != 1:
            raise _missing_column(where, column, present)
        actual[column] = found[0]
    return actual


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _missing_column(where: str, column: str, present: Iterable[str]) -> StillhouseError:
    return invalid(
        f"{where} must have one column {column!r}, got {', '.join(map(str, present)) or 'none'}"
    )


_READERS: dict[str, Callable[[Path, Sequence[str] | None], Iterator[Record]]] = {
    ".jsonl": _read_jsonl,
    f".jsonl{GZIP_ENDING}": _read_jsonl,
    ".json": _read_json,
    f".json{GZIP_ENDING}": _read_json,
    ".csv": _read_csv,
    f".csv{GZIP_ENDING}": _read_csv,
    ".tsv": _read_csv,
    f".tsv{GZIP_ENDING}": _read_csv,
    PARQUET: _read_parquet,
}
SUFFIXES: tuple[str, ...] = tuple(_READERS)
