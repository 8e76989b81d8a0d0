"""Writes small data sets into folders, in every format that is read."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from stillhouse_worker.datasets import Dataset, Reading, load_dataset
from stillhouse_worker.datasets.rows import SPLIT_NAMES

Rows = list[dict[str, Any]]
DESCRIPTION = {"labels": ["bad", "good"], "text_columns": ["text"], "label_column": "label"}
TRAIN: Rows = [{"text": f'train, "text" {row}\nü', "label": row % 2} for row in range(20)]
TEST: Rows = [{"text": f"test text {row}", "label": row % 2} for row in range(6)]


def write_jsonl(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def write_jsonl_gz(path: Path, rows: Rows) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_csv(path: Path, rows: Rows) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, rows: Rows) -> None:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def write_json(path: Path, rows: Rows) -> None:
    path.write_text(json.dumps(rows, indent=1), "utf-8")


def write_tsv(path: Path, rows: Rows) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


def compressed(write: Callable[[Path, Rows], None]) -> Callable[[Path, Rows], None]:
    def write_gzip(path: Path, rows: Rows) -> None:
        write(path, rows)
        path.write_bytes(gzip.compress(path.read_bytes()))

    return write_gzip


WRITERS: dict[str, Callable[[Path, Rows], None]] = {
    ".jsonl": write_jsonl,
    ".jsonl.gz": write_jsonl_gz,
    ".json": write_json,
    ".json.gz": compressed(write_json),
    ".csv": write_csv,
    ".csv.gz": compressed(write_csv),
    ".tsv": write_tsv,
    ".tsv.gz": compressed(write_tsv),
    ".parquet": write_parquet,
}


def make_set(
    data_dir: Path, suffix: str = ".jsonl", description: object = DESCRIPTION, **splits: Rows
) -> Path:
    folder = data_dir / "reviews"
    folder.mkdir(exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(description))
    for split, rows in {"train": TRAIN, "test": TEST, **splits}.items():
        WRITERS[suffix](folder / f"{split}{suffix}", rows)
    return folder


def load(data_dir: Path, name: str = "reviews", **reading: Any) -> Dataset:
    """All splits of a set in a folder, read as ``Reading`` says."""
    return load_dataset(
        name,
        source="local",
        data_dir=str(data_dir),
        splits=SPLIT_NAMES,
        reading=Reading(
            **{
                "validation_fraction": 0.2,
                "test_fraction": 0.2,
                "bad_rows": "refuse",
                "finds_overlap": True,
            }
            | reading
        ),
    )
