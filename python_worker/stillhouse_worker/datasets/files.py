"""The file formats a split may have, each read as a stream of records that know their place."""

import csv
import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import StillhouseError

_PARQUET_ROWS = 8192


class Record(NamedTuple):
    """One row of a file.

    Attributes:
        where: file and line (or row) for a message, counted from 1.
        values: the columns asked for, at least.
    """

    where: str
    values: dict[str, Any]


def read_records(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    """Stream the rows of a file whose name ends in one of ``SUFFIXES``.

    Raises:
        StillhouseError: invalid at the first row that cannot be read or lacks one of ``columns``.
    """
    try:
        yield from _READERS[_suffix(path)](path, columns)
    except (OSError, EOFError, zlib.error) as error:
        raise _invalid(f"{path} cannot be read: {error}") from None
    except UnicodeDecodeError as error:
        raise _invalid(f"{path} is not UTF-8: {error}") from None


def _suffix(path: Path) -> str:
    return path.name[path.name.index(".") :]


def _read_jsonl(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    with path.open("rb") as file:
        yield from _json_records(path, file, columns)


def _read_jsonl_gz(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    with gzip.open(path, "rb") as file:
        yield from _json_records(path, file, columns)


def _json_records(path: Path, lines: Iterable[bytes], columns: Sequence[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, start=1):
        where = f"{path} line {number}"
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError as error:
            raise _invalid(f"{where} is not JSON: {error}") from None
        if not isinstance(values, dict):
            raise _invalid(f"{where} must hold a JSON object, got {str(values)[:80]!r}")
        for column in columns:
            if column not in values:
                raise _missing_column(where, column, list(values))
        yield Record(where, values)


def _read_csv(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    # The module's limit of 131,072 characters a field is a setting of the process; a text may be
    # longer, and nothing else here reads CSV.
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, [])
            _check_header(path, header, columns)
            for cells in reader:
                if not cells:
                    continue
                where = f"{path} line {reader.line_num}"
                if len(cells) != len(header):
                    raise _invalid(f"{where} has {len(cells)} columns, the header {len(header)}")
                yield Record(where, dict(zip(header, cells, strict=True)))
        except csv.Error as error:
            raise _invalid(f"{path} line {reader.line_num} is not CSV: {error}") from None


def _check_header(path: Path, header: list[str], columns: Sequence[str]) -> None:
    for column in columns:
        if header.count(column) != 1:
            raise _missing_column(f"{path} line 1", column, header)


def _read_parquet(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    # Slow to import, and the other formats do without it.
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for column in columns:
                if column not in file.schema_arrow.names:
                    raise _missing_column(str(path), column, file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches(_PARQUET_ROWS, columns=list(columns)):
                for values in batch.to_pylist():
                    number += 1
                    yield Record(f"{path} row {number}", values)
    except pyarrow.ArrowException as error:
        raise _invalid(f"{path} is not Parquet: {str(error).splitlines()[0]}") from None


def _missing_column(where: str, column: str, present: Sequence[str]) -> StillhouseError:
    return _invalid(
        f"{where} must have one column {column!r}, got {', '.join(map(str, present)) or 'none'}"
    )


def _invalid(message: str) -> StillhouseError:
    return StillhouseError("invalid", message, field="dataset.name")


_READERS: dict[str, Callable[[Path, Sequence[str]], Iterator[Record]]] = {
    ".jsonl": _read_jsonl,
    ".jsonl.gz": _read_jsonl_gz,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
SUFFIXES: tuple[str, ...] = tuple(_READERS)
