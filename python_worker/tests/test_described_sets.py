"""A set is read again for a description only when its files have changed."""

import json
from pathlib import Path

import pytest

from stillhouse_worker.datasets.catalog import DatasetLocation
from stillhouse_worker.datasets.loading import Reading
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.inspection import described_sets
from stillhouse_worker.inspection.described_sets import described_set

READING = Reading(0.1, 0.2, "refuse", finds_overlap=True)


def write_set(folder: Path, rows: int, *, word: str = "text") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"text": f"{word} {row}", "label": row % 2}) for row in range(rows)]
    (folder / "train.jsonl").write_text("\n".join(lines))


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Gets the name of each set that is read from its files."""
    described_sets._kept.cache_clear()
    names: list[str] = []
    load = described_sets.load_dataset

    def counted(name: str, **how: object) -> object:
        names.append(name)
        return load(name, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(described_sets, "load_dataset", counted)
    return names


def test_a_set_is_read_once_while_its_files_stay(tmp_path: Path, readings: list[str]) -> None:
    write_set(tmp_path / "news", 30)
    where = DatasetLocation("news", "local", str(tmp_path))
    first, again = (described_set(where, (), READING) for _ in range(2))
    assert first == again
    assert readings == ["news"]
    assert "train" in described_set(where, ("train",), READING).splits
    assert readings == ["news", "news"]


def test_a_changed_set_is_read_again(tmp_path: Path, readings: list[str]) -> None:
    where = DatasetLocation("news", "local", str(tmp_path))
    write_set(tmp_path / "news", 30)
    before = described_set(where, (), READING)
    write_set(tmp_path / "news", 30, word="word")  # as many bytes
    after = described_set(where, (), READING)
    assert before.fingerprint != after.fingerprint
    (tmp_path / "news" / "test.jsonl").write_text((tmp_path / "news" / "train.jsonl").read_text())
    assert described_set(where, (), READING).num_rows["test"] == 30
    assert len(readings) == 3


def test_a_set_that_was_refused_is_read_when_it_is_mended(
    tmp_path: Path, readings: list[str]
) -> None:
    where = DatasetLocation("news", "local", str(tmp_path))
    write_set(tmp_path / "news", 30)
    with (tmp_path / "news" / "train.jsonl").open("a") as file:
        file.write('\n{"text": "no label"}')
    for _ in range(2):
        with pytest.raises(StillhouseError):
            described_set(where, (), READING)
    write_set(tmp_path / "news", 30)
    assert sum(described_set(where, (), READING).num_rows.values()) == 30
