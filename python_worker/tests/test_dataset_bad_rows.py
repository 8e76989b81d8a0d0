"""Rows that cannot be used, test rows that are in train, and splits that are small or missing."""

from pathlib import Path
from typing import Any

import datasets
import pytest
from local_sets import DESCRIPTION, TEST, TRAIN, load, make_set

from stillhouse_worker.datasets.hub import hub_entry, source_of_tables
from stillhouse_worker.datasets.loading import Reading, read_dataset
from stillhouse_worker.datasets.rows import SPLIT_NAMES, BadRows, Dataset, SkippedRows
from stillhouse_worker.errors import StillhouseError

BAD = [
    {"text": "no label", "label": -1},
    {"text": "no label", "label": None},
    {"text": " ", "label": 0},
    {"text": None, "label": 0},
    {"text": "cut \ud83d", "label": 1},
    {"text": "wrong", "label": 9},
]


def read_hub(rows: list[dict[str, Any]], bad_rows: BadRows = "skip") -> Dataset:
    made = datasets.Dataset.from_list(rows)
    source = source_of_tables("me/set", {"train": made, "test": made}, hub_entry("me/set"))
    return read_dataset("me/set", "hub", source, SPLIT_NAMES, Reading(0.1, 0.2, bad_rows))


def test_skipped_rows_are_counted_and_named_in_a_notice() -> None:
    made = [{"text": f"t {at}", "label": at % 2} for at in range(40)]
    dataset = read_hub([*made, {"text": "x", "label": -1}, {"text": "", "label": 0}])
    assert dataset.num_rows == {"train": 36, "validation": 4, "test": 40}
    assert SkippedRows("train", "no label", 1) in dataset.skipped
    assert SkippedRows("test", "an empty text", 1) in dataset.skipped
    assert any("4 rows of me/set left out" in notice for notice in dataset.notices)
    with pytest.raises(StillhouseError, match="row 41: column 'label' holds -1"):
        read_hub([*made, {"text": "x", "label": -1}], "refuse")


def test_bad_rows_are_refused_with_their_place_or_skipped_as_the_reading_says(
    tmp_path: Path,
) -> None:
    clean = make_set(tmp_path)
    fingerprint = load(tmp_path).fingerprint
    for bad in BAD:
        make_set(tmp_path, train=[bad, *TRAIN])
        with pytest.raises(StillhouseError, match=rf"{clean}/train.jsonl line 1.*on-bad-rows skip"):
            load(tmp_path)
    make_set(tmp_path, train=[*BAD, *TRAIN])
    dataset = load(tmp_path, bad_rows="skip")
    assert dataset.num_rows["train"] == 16
    assert {row.reason: row.rows for row in dataset.skipped} == {
        "no label": 2,
        "an empty text": 2,
        "half of a surrogate pair": 1,
        "a label that is not a class": 1,
    }
    # The fingerprint says which rows were left out.
    assert dataset.fingerprint != fingerprint


def test_a_set_of_bad_rows_alone_has_no_rows(tmp_path: Path) -> None:
    make_set(tmp_path, test=[BAD[2]])
    with pytest.raises(StillhouseError, match="no rows in its test split but for 1 bad ones"):
        load(tmp_path, bad_rows="skip")


def test_one_row_per_class_cannot_be_divided(tmp_path: Path) -> None:
    make_set(tmp_path, train=TRAIN[:2])
    with pytest.raises(StillhouseError, match="too few rows in train to hold out any for valid"):
        load(tmp_path)
    assert load_two_rows(tmp_path).num_rows["validation"] == 2


def load_two_rows(tmp_path: Path) -> Dataset:
    make_set(tmp_path, train=TRAIN[:4])
    return load(tmp_path)


def test_test_rows_that_are_in_train_are_counted_and_reported(tmp_path: Path) -> None:
    again = [{"text": f"  {row['text']} ", "label": row["label"]} for row in TRAIN[:3]]
    make_set(tmp_path, test=[*TEST, *again])
    dataset = load(tmp_path)
    assert dataset.test_rows_in_train == 3
    assert any("WARNING: 3 of 9 test rows are also in train" in said for said in dataset.notices)
    make_set(tmp_path)
    assert load(tmp_path).test_rows_in_train == 0
    assert load(tmp_path).notices == ()


def test_duplicate_rows_are_counted_in_a_held_out_test_part_too(
    tmp_path: Path,
) -> None:
    folder = make_set(tmp_path, train=[*TRAIN, *TRAIN, *TRAIN])
    (folder / "test.jsonl").unlink()
    assert load(tmp_path).test_rows_in_train != 0


@pytest.mark.parametrize("hidden", [[], [{"text": "secret", "label": -1}] * 5])
def test_without_labelled_test_rows_validation_is_the_test_split(
    tmp_path: Path, hidden: list[dict[str, Any]]
) -> None:
    folder = make_set(tmp_path, validation=TEST, test=hidden or TEST)
    if not hidden:
        (folder / "test.jsonl").unlink()
    dataset = load(tmp_path)
    assert dataset.num_rows == {"train": 16, "validation": 4, "test": 6}
    assert dataset.splits["test"].first == [row["text"] for row in TEST]
    assert dataset.test_from == "validation"
    assert "its validation split is the test split" in dataset.notices[0]


def test_a_part_of_train_is_the_test_split_of_a_set_without_one(tmp_path: Path) -> None:
    (make_set(tmp_path) / "test.jsonl").unlink()
    dataset = load(tmp_path)
    assert dataset.num_rows["test"] == 4
    assert "20 % of each class of train are held out as test" in dataset.notices[0]
    half = load(tmp_path, test_fraction=0.5)
    assert half.num_rows["test"] == 10
    assert half.fingerprint != dataset.fingerprint


def test_a_column_may_be_named(tmp_path: Path) -> None:
    made = [{"a": f"a {at}", "b": f"b {at}", "stars": at % 2, "c": 0} for at in range(20)]
    description = {**DESCRIPTION, "text_columns": ["a"], "label_column": "c"}
    make_set(tmp_path, description=description, train=made, test=made)
    dataset = load(tmp_path, texts=("b", "a"), label="stars")
    assert (dataset.text_columns, dataset.class_names) == (("b", "a"), ("0", "1"))
    second = dataset.splits["test"].second
    assert second is not None
    assert second[3] == "a 3"
    with pytest.raises(StillhouseError, match=r"no column 'd' \(--text-column\), only a, b, stars"):
        load(tmp_path, texts=("d",))


def test_multi_label_sets_of_the_hub_are_refused_in_a_sentence() -> None:
    with pytest.raises(StillhouseError, match="is multi-label"):
        read_hub([{"text": f"t {at}", "label": [at % 2]} for at in range(8)])


@pytest.mark.parametrize(
    ("labels", "names"),
    [([True, False], ("False", "True")), ([1.0, 0.0, None], ("0", "1")), (["b", "a"], ("a", "b"))],
)
def test_labels_of_the_hub_may_be_of_any_type(labels: list[Any], names: tuple[str, ...]) -> None:
    made = [{"text": f"t {at}", "label": labels[at % len(labels)]} for at in range(30)]
    assert read_hub(made).class_names == names
