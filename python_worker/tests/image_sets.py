"""Writes small sets of images, in every form that is read."""

import gzip
import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image

CLASSES = ("cat", "dog")
SIZE = 8
TRAIN_ROWS, TEST_ROWS = 12, 6


def pixels(row: int, channels: int = 1) -> np.ndarray:
    """Row ``row`` of a split: height x width, or height x width x channels; brighter for dogs."""
    draws = np.random.default_rng(row)
    shape = (SIZE, SIZE) if channels == 1 else (SIZE, SIZE, channels)
    return (draws.integers(0, 100, shape) + 120 * (row % 2)).astype(np.uint8)


def png(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def idx(values: np.ndarray) -> bytes:
    shape = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes([0, 0, 8, values.ndim]) + shape + values.tobytes()


def write_idx(folder: Path, *, zipped: bool = False, rows: int = TRAIN_ROWS) -> Path:
    folder.mkdir(parents=True)
    for split, count, first in (("train", rows, 0), ("test", TEST_ROWS, rows)):
        numbers = range(first, first + count)
        images = np.stack([pixels(row) for row in numbers])
        labels = np.array([row % 2 for row in numbers], np.uint8)
        for kind, axes, values in (("images", 3, images), ("labels", 1, labels)):
            name, content = f"{split}-{kind}-idx{axes}-ubyte", idx(values)
            path = folder / (f"{name}.gz" if zipped else name)
            path.write_bytes(gzip.compress(content) if zipped else content)
    return folder


def describe(folder: Path, **more: Any) -> None:
    description = {"modality": "image", "labels": CLASSES, **more}
    (folder / "dataset.json").write_text(json.dumps(description))


def image_paths(channels: int = 1) -> dict[str, bytes]:
    """SPLIT/CLASS/FILE -> a PNG file."""
    files = {}
    for split, first, count in (("train", 0, TRAIN_ROWS), ("test", TRAIN_ROWS, TEST_ROWS)):
        for row in range(first, first + count):
            files[f"{split}/{CLASSES[row % 2]}/{row:03}.png"] = png(pixels(row, channels))
    return files


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_parquet(folder: Path, files: dict[str, bytes]) -> Path:
    """As the hub stores images: a column of the bytes and the path of a file."""
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        rows = [
            {"image": {"bytes": content, "path": None}, "label": CLASSES.index(name.split("/")[1])}
            for name, content in files.items()
            if name.startswith(split)
        ]
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{split}.parquet")
    return folder
