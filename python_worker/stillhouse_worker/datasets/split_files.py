"""Finds the files of each split in a folder."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from .faults import invalid, not_found
from .files import SUFFIXES, suffix_of
from .rows import SPLIT_NAMES, SplitName

# The possible names of a split; where a set has several for one split, the first counts.
SPLIT_BY_NAME: Mapping[str, SplitName] = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    # Of MNLI, whose mismatched splits are another question: texts of other genres than train.
    "validation_matched": "validation",
    "dev_matched": "validation",
    "test": "test",
    "test_matched": "test",
}
# As the hub's tools name the parts of a split: train-00000-of-00002.parquet.
_STEM = re.compile(rf"({'|'.join(SPLIT_BY_NAME)})(?:-(\d+)-of-(\d+))?")


class _Part(NamedTuple):
    path: Path
    number: int
    # 0 where the file is the whole split.
    of: int


def split_files(folder: Path) -> dict[SplitName, tuple[Path, ...]]:
    """The files of each split, its parts in their order.

    Raises:
        StillhouseError: not_found without a train file, invalid where a split has two files that
            are not parts of one whole, or where a part is missing.
    """
    found: defaultdict[SplitName, list[_Part]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        match = _match(path.name)
        if match is not None and path.is_file():
            part = _Part(path, int(match[2] or 0), int(match[3] or 0))
            found[SPLIT_BY_NAME[match[1]]].append(part)
    if "train" not in found:
        raise not_found(
            f"{folder} has no train file; allowed is train with one of the endings "
            f"{', '.join(SUFFIXES)}"
        )
    return {
        split_name: _whole(folder, split_name, found[split_name])
        for split_name in SPLIT_NAMES
        if split_name in found
    }


def split_of(name: str) -> SplitName | None:
    """The split that a file of this name belongs to, if any."""
    match = _match(name)
    return None if match is None else SPLIT_BY_NAME[match[1]]


def _match(name: str) -> re.Match[str] | None:
    suffix = suffix_of(name)
    return _STEM.fullmatch(name.removesuffix(suffix)) if suffix else None


def _whole(folder: Path, split_name: SplitName, parts: list[_Part]) -> tuple[Path, ...]:
    kinds = {(part.path.name.partition("-")[0], suffix_of(part.path.name), part.of)
             for part in parts}  # fmt: skip
    if len(kinds) > 1:
        raise invalid(
            f"{folder} has more than one {split_name} file: "
            f"{', '.join(part.path.name for part in parts)}; keep one"
        )
    of = parts[0].of
    if of and [part.number for part in parts] != list(range(of)):
        raise invalid(
            f"{folder} has {len(parts)} of the {of} files of {split_name}: "
            f"{', '.join(part.path.name for part in parts)}"
        )
    return tuple(part.path for part in parts)


def has_train_file(folder: Path) -> bool:
    """Whether a folder looks like a data set; an unreadable one does not."""
    try:
        names = [path.name for path in folder.iterdir() if path.is_file()]
    except PermissionError:
        return False
    return any(split_of(name) == "train" for name in names)


def found_below(folder: Path, name: str) -> Path:
    """``folder/name``, or an existing file of that name in another Unicode normal form."""
    path = folder / name
    if path.exists() or not path.parent.is_dir():
        return path
    wanted = unicodedata.normalize("NFC", path.name)
    alike = (
        other
        for other in path.parent.iterdir()
        if unicodedata.normalize("NFC", other.name) == wanted
    )
    return next(alike, path)
