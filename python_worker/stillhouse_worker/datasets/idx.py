"""IDX files, as MNIST comes: a header of big-endian numbers, then one byte per value."""

import math
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from .faults import invalid
from .file_bytes import open_bytes
from .pixels import check_shape
from .rows import BadRow, ImageShape, Row, SplitName
from .split_files import SPLIT_BY_NAME

# train-images-idx3-ubyte, t10k-labels.idx1-ubyte.gz; t10k is MNIST's own name of its test split.
_SPLITS = {**SPLIT_BY_NAME, "t10k": "test"}
_NAME = re.compile(rf"({'|'.join(_SPLITS)})-(images|labels)[.-]idx[13]-ubyte(?:\.gz)?")
_UINT8 = 8


class IdxPair(NamedTuple):
    """The two files of a split."""

    images: Path
    labels: Path

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the files."""
        return self.images.name, self.labels.name


class _Array(NamedTuple):
    shape: tuple[int, ...]
    values: bytes


def is_idx_file(path: Path) -> bool:
    """Whether a file is named like one of a pair."""
    return _NAME.fullmatch(path.name) is not None


def idx_pairs(folder: Path) -> dict[SplitName, IdxPair]:
    """The files of each split of a folder.

    Raises:
        StillhouseError: invalid where one file of a pair is missing or there is more than one.
    """
    found: dict[SplitName, dict[str, list[Path]]] = {}
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match is not None and path.is_file():
            of_split = found.setdefault(_SPLITS[match[1]], {"images": [], "labels": []})
            of_split[match[2]].append(path)
    for split_name, files in found.items():
        for kind, paths in files.items():
            if len(paths) != 1:
                names = ", ".join(path.name for path in paths) or "none"
                raise invalid(f"{folder} must have one file of {split_name} {kind}, got {names}")
    return {name: IdxPair(files["images"][0], files["labels"][0]) for name, files in found.items()}


def idx_shape(pair: IdxPair) -> ImageShape:
    """The shape of the images, from the header."""
    _, height, width = _read(pair.images, 3).shape
    shape = ImageShape(1, height, width)
    check_shape(shape, str(pair.images))
    return shape


def idx_labels(pair: IdxPair) -> set[int]:
    """The labels that occur."""
    return set(_read(pair.labels, 1).values)


def idx_rows(
    pair: IdxPair, shape: ImageShape, num_classes: int
) -> Callable[[], Iterator[Row | BadRow]]:
    """A function that reads a split from its start at each call.

    Raises:
        StillhouseError: invalid for files that are cut or do not fit together.
    """

    def read() -> Iterator[Row | BadRow]:
        images, labels = _read(pair.images, 3), _read(pair.labels, 1)
        if images.shape[0] != labels.shape[0]:
            raise invalid(
                f"{pair.images} has {images.shape[0]:,} images and {pair.labels.name} "
                f"{labels.shape[0]:,} labels; they must be as many"
            )
        if images.shape[1:] != shape[1:]:
            raise invalid(
                f"{pair.images} holds {images.shape[2]} x {images.shape[1]} images, train "
                f"{shape.width} x {shape.height}; all must have one size, and none is resized"
            )
        for row, label in enumerate(labels.values):
            if label >= num_classes:
                yield BadRow(
                    "a label that is not a class",
                    f"{pair.labels} row {row + 1} holds {label}, which is not a class; allowed "
                    f"are 0 to {num_classes - 1}",
                )
                continue
            yield images.values[row * shape.num_values : (row + 1) * shape.num_values], None, label

    return read


def _read(path: Path, num_axes: int) -> _Array:
    try:
        with open_bytes(path) as file:
            content = file.read()
    except (OSError, EOFError) as error:
        raise invalid(f"{path} cannot be read: {error}") from None
    header = 4 + 4 * num_axes
    if len(content) < header or content[:2] != b"\0\0":
        raise invalid(f"{path} is not an IDX file: it does not begin with two zero bytes")
    if content[2] != _UINT8 or content[3] != num_axes:
        raise invalid(
            f"{path} must hold unsigned bytes (type {_UINT8}) with {num_axes} axes, got type "
            f"{content[2]} with {content[3]} axes"
        )
    shape = struct.unpack(f">{num_axes}I", content[4:header])
    wanted = header + math.prod(shape)
    if len(content) != wanted:
        what = "is cut" if len(content) < wanted else "is too long"
        raise invalid(
            f"{path} {what}: its header says {' x '.join(map(str, shape))}, {wanted:,} bytes in "
            f"all, and it has {len(content):,}"
        )
    return _Array(shape, content[header:])
