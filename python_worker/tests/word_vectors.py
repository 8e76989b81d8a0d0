"""Writes small word vectors, in every form that is read."""

import gzip
from pathlib import Path

import numpy as np

from conftest import TOPICS

WORDS = [word for topic in TOPICS.values() for word in topic]
WIDTH = 8


def numbers() -> np.ndarray:
    """Rows of the words; those of a topic are alike."""
    draws = np.random.default_rng(0)
    centres = draws.normal(size=(len(TOPICS), WIDTH))
    own = draws.normal(size=(len(WORDS), WIDTH))
    topic = np.repeat(np.arange(len(TOPICS)), len(WORDS) // len(TOPICS))
    # Exact in fp16, so that all forms hold the same.
    return (centres[topic] + 0.3 * own).astype("<f2").astype("<f4")


def write_folder(folder: Path, table: str = "vectors.f16.gz") -> Path:
    folder.mkdir(parents=True)
    (folder / "words.txt.gz").write_bytes(gzip.compress("\n".join(WORDS).encode() + b"\n"))
    if table == "vectors.npy":
        np.save(folder / table, numbers())
    else:
        content = numbers().astype("<f2" if "f16" in table else "<f4").tobytes()
        content = gzip.compress(content) if table.endswith(".gz") else content
        (folder / table).write_bytes(content)
    return folder


def write_text(file: Path, header: str = "") -> Path:
    lines = [
        f"{word} {' '.join(map(repr, row.tolist()))}"
        for word, row in zip(WORDS, numbers(), strict=True)
    ]
    content = (header + "\n".join(lines) + "\n").encode()
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)
    return file
