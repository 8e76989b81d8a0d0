"""Data sets as they were read for a description, kept while their files are as they were.

The rows of a study's table and the runs of a sweep describe the same set, and to read one takes
seconds.
"""

import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from ..datasets.catalog import DatasetLocation
from ..datasets.loading import Reading, load_dataset
from ..datasets.rows import Dataset, SplitName
from ..datasets.split_files import found_below

# An adaptation has two sets.
_KEPT_SETS = 2


def described_set(
    location: DatasetLocation, splits: tuple[SplitName, ...], reading: Reading
) -> Dataset:
    """The set as `load_dataset` gives it, which the caller leaves as it is.

    Raises:
        StillhouseError: as of `load_dataset`; a set that cannot be read is read again.
    """
    if location.source == "hub":  # its files are elsewhere, under revisions
        return _read(location, splits, reading)
    return _kept(location, splits, reading, _state(location))


def _read(location: DatasetLocation, splits: tuple[SplitName, ...], reading: Reading) -> Dataset:
    name, source, data_dir = location.name, location.source, location.data_dir
    return load_dataset(name, source=source, data_dir=data_dir, splits=splits, reading=reading)


@lru_cache(_KEPT_SETS)
def _kept(
    location: DatasetLocation, splits: tuple[SplitName, ...], reading: Reading, state: str
) -> Dataset:
    del state  # part of the key alone
    return _read(location, splits, reading)


def _state(location: DatasetLocation) -> str:
    """A digest of names, sizes and times of the files; the same for a package as long as it is."""
    if location.data_dir is None:
        return ""
    digest = hashlib.sha256()
    for path in _files(found_below(Path(location.data_dir), location.name)):
        found = path.stat()
        facts = (str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
        digest.update(repr(facts).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    for folder, inner, names in os.walk(place, followlinks=True):
        inner.sort()
        yield from (Path(folder, name) for name in sorted(names))
