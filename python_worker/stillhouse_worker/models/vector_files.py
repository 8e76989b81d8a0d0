"""Reads word vectors from their files: a word list beside a table, or GloVe's own text format."""

import gzip
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..errors import StillhouseError

# Names of a folder's files, the first that is there counts.
_WORD_FILES = ("words.txt", "words.txt.gz")
_TABLES: dict[str, np.dtype[Any]] = {"vectors.f16": np.dtype("<f2"), "vectors.f32": np.dtype("<f4")}
_NUMPY_TABLE = "vectors.npy"
TEXT_ENDINGS = (".txt", ".txt.gz", ".vec", ".vec.gz")


class VectorTable(NamedTuple):
    """Words and their vectors.

    Attributes:
        words: most frequent first, where the files say so.
        vectors: fp32 [words, width].
    """

    words: list[str]
    vectors: np.ndarray

    @property
    def width(self) -> int:
        """Numbers per word, E."""
        return int(self.vectors.shape[1])


def is_vectors(path: Path) -> bool:
    """Whether a path is a folder or a file that `read_vectors` takes."""
    if path.is_dir():
        return _found(path, _WORD_FILES) is not None
    return path.is_file() and path.name.endswith(TEXT_ENDINGS)


def read_vectors(path: Path) -> VectorTable:
    """Read word vectors.

    Args:
        path: a folder with ``words.txt``, one word per line, and ``vectors.f16`` or ``.f32`` (rows
            of little-endian numbers, in the order of the words) or ``vectors.npy``; or a file of
            lines with a word and its numbers, blanks between them, as GloVe and fastText write
            them. All but ``vectors.npy`` may be compressed (``.gz``).

    Raises:
        StillhouseError: ``invalid`` where the files do not fit each other or hold no numbers.
    """
    table = _of_folder(path) if path.is_dir() else _of_text(path)
    if table.vectors.ndim != 2 or 0 in table.vectors.shape:
        refuse(path, f"its vectors have the shape {table.vectors.shape}, not words x numbers")
    if len(table.words) != len(table.vectors):
        refuse(path, f"it has {len(table.words)} words but {len(table.vectors)} vectors")
    if not np.isfinite(table.vectors).all():
        refuse(path, "some of its numbers are not finite")
    return table


def refuse(path: Path, why: str) -> NoReturn:
    """Raise ``invalid`` for word vectors that cannot be used; ``why`` is a clause."""
    raise StillhouseError(
        "invalid", f"the word vectors {path} cannot be used: {why}", field="model.embeddings"
    )


def _of_folder(folder: Path) -> VectorTable:
    word_file = _found(folder, _WORD_FILES)
    if word_file is None:
        refuse(folder, f"there is no {_WORD_FILES[0]}")
    try:
        words = _content(word_file).decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        refuse(word_file, f"it is not UTF-8: {error.reason} at byte {error.start}")
    if words[-1] == "":
        words.pop()
    if (folder / _NUMPY_TABLE).is_file():
        try:
            table = np.load(folder / _NUMPY_TABLE, mmap_mode="r")
        except ValueError as error:
            refuse(folder / _NUMPY_TABLE, str(error))
        return VectorTable(words, np.asarray(table, dtype=np.float32))
    return VectorTable(words, _plain_table(folder, len(words)))


def _plain_table(folder: Path, num_words: int) -> np.ndarray:
    for name, dtype in _TABLES.items():
        file = _found(folder, (name, f"{name}.gz"))
        if file is None:
            continue
        content = _content(file)
        width, rest = divmod(len(content), dtype.itemsize * max(num_words, 1))
        if rest or not width:
            refuse(file, f"its {len(content):,} bytes are no rows of {num_words:,} words")
        return np.frombuffer(content, dtype).astype(np.float32).reshape(num_words, width)
    refuse(folder, f"there is none of {', '.join([*_TABLES, _NUMPY_TABLE])}")


def _of_text(file: Path) -> VectorTable:
    """Read by pyarrow: Python's own parsing of 400,000 words takes a minute."""
    import pyarrow
    from pyarrow import csv

    first = _first_line(file).split(" ")
    # fastText and word2vec write the two sizes first.
    skipped = 1 if len(first) == 2 else 0
    try:
        with pyarrow.input_stream(str(file), compression="detect") as stream:
            table = csv.read_csv(
                stream,
                csv.ReadOptions(autogenerate_column_names=True, skip_rows=skipped),
                csv.ParseOptions(delimiter=" ", quote_char=False),
                csv.ConvertOptions(column_types={"f0": pyarrow.string()}),
            )
            # fastText ends each line with a blank.
            filled = [c for c in table.columns[1:] if c.null_count < len(c)]
            vectors = np.stack([column.to_numpy().astype(np.float32) for column in filled], 1)
    except (pyarrow.ArrowInvalid, ValueError) as error:
        refuse(file, " ".join(str(error).split())[:200])
    return VectorTable(table.columns[0].to_pylist(), vectors)


def _first_line(file: Path) -> str:
    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as stream:
        return stream.readline().decode("utf-8", "replace").strip()


def _found(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _content(file: Path) -> bytes:
    content = file.read_bytes()
    return gzip.decompress(content) if file.suffix == ".gz" else content
