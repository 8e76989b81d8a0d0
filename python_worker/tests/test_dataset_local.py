"""Data sets in a folder: every format, and one clear sentence for each thing that can be wrong."""

from pathlib import Path
from typing import Any

import pytest
from local_sets import DESCRIPTION, TEST, TRAIN, WRITERS, load, make_set, write_csv

from stillhouse_worker.datasets import Reading, load_dataset
from stillhouse_worker.errors import StillhouseError


def failure(data_dir: Path) -> StillhouseError:
    with pytest.raises(StillhouseError) as caught:
        load(data_dir)
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_rows_and_fingerprint(tmp_path: Path, suffix: str) -> None:
    make_set(tmp_path, suffix, validation=TEST)
    dataset = load(tmp_path)
    assert dataset.splits["train"].first == [row["text"] for row in TRAIN]
    assert dataset.splits["train"].labels == [row["label"] for row in TRAIN]
    assert dataset.splits["train"].second is None
    assert dataset.num_rows == {"train": 20, "validation": 6, "test": 6}
    assert dataset.class_names == ("bad", "good")
    expected = "aba43493bfc05a18c20d5df49b58f4833cdf8cf066ade67368dc4a18eceaebbc"
    assert dataset.fingerprint == expected


@pytest.mark.parametrize("suffix", WRITERS)
def test_pairs_are_read_in_every_format(tmp_path: Path, suffix: str) -> None:
    rows = [{"a": f"a {row}", "b": f"b {row}", "y": ["no", "yes"][row % 2]} for row in range(10)]
    description = {"labels": ["no", "yes"], "text_columns": ["b", "a"], "label_column": "y"}
    make_set(tmp_path, suffix, description, train=rows, test=rows, validation=rows)
    train = load(tmp_path).splits["train"]
    assert train.first == [row["b"] for row in rows]
    assert train.second == [row["a"] for row in rows]
    assert train.labels == [0, 1] * 5


def test_a_class_named_like_a_number_is_matched_by_its_name(tmp_path: Path) -> None:
    rows = [{"text": "one star", "label": "1"}, {"text": "no star", "label": "0"}]
    make_set(
        tmp_path,
        ".csv",
        {**DESCRIPTION, "labels": ["1", "0"]},
        train=rows,
        test=rows,
        validation=rows,
    )
    assert load(tmp_path).splits["train"].labels == [0, 1]


def test_a_csv_text_may_be_longer_than_the_library_allows_by_default(tmp_path: Path) -> None:
    long = {"text": "word " * 50_000, "label": 1}
    make_set(tmp_path, ".csv", train=[long, *TRAIN])
    assert load(tmp_path).splits["train"].first[0] == long["text"]


def test_optional_keys_are_allowed(tmp_path: Path) -> None:
    make_set(tmp_path, description={**DESCRIPTION, "name": "x", "licence": "y", "note": "z"})
    assert load(tmp_path).name == "reviews"


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({**DESCRIPTION, "lables": []}, "unknown key 'lables'; allowed are labels, text_columns"),
        ({"labels": ["a", "b"], "text_columns": ["text"]}, "no key 'label_column'"),
        ({**DESCRIPTION, "labels": ["a"]}, "labels must be a list of 2 or more different names"),
        ({**DESCRIPTION, "labels": ["a", "a"]}, 'different names, got ["a", "a"]'),
        ({**DESCRIPTION, "text_columns": []}, "text_columns must be a list of 1 or 2 different"),
        ({**DESCRIPTION, "text_columns": ["a", "b", "c"]}, 'got ["a", "b", "c"]'),
        ({**DESCRIPTION, "text_columns": "text"}, 'got "text"'),
        ({**DESCRIPTION, "label_column": "text"}, "must be a name that is not a text column"),
        (["labels"], 'must hold a JSON object, got ["labels"]'),
    ],
)
def test_a_wrong_description_is_named(tmp_path: Path, description: object, said: str) -> None:
    make_set(tmp_path, description=description)
    error = failure(tmp_path)
    assert said in error.message
    assert "dataset.json" in error.message
    assert (error.kind, error.field) == ("invalid", "dataset.name")


def test_a_description_that_is_not_json_is_named(tmp_path: Path) -> None:
    (make_set(tmp_path) / "dataset.json").write_text("{labels: []}")
    assert "dataset.json is not JSON: " in failure(tmp_path).message


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"text": "x", "label": "great"},
            'holds "great", which is not a class; allowed are 0 to 1, or in all rows of the set bad, g',
        ),
        ({"text": "x", "label": 2}, "holds 2, which is not a class"),
        ({"text": "x", "label": -1}, "holds -1, which is not a class"),
        ({"text": "x", "label": True}, "holds true, which is not a class"),
        ({"text": "x", "label": None}, "holds null, which is not a class"),
        ({"text": "x", "label": 0.5}, "holds 0.5, which is not a class"),
        ({"text": "x", "label": float("nan")}, "holds NaN, which is not a class"),
        ({"text": "cut \ud83d", "label": 0}, "without half of a surrogate pair"),
        ({"text": "", "label": 0}, 'must hold a text that is not empty, got ""'),
        ({"text": " \n", "label": 0}, "must hold a text that is not empty"),
        ({"text": 5, "label": 0}, "must hold a text that is not empty, got 5"),
        ({"label": 0}, "must have one column 'text', got label"),
        ({"text": "x", "score": 0}, "must have one column 'label', got text, score"),
    ],
)
def test_a_wrong_row_is_named_with_file_line_and_value(
    tmp_path: Path, row: dict[str, Any], said: str
) -> None:
    make_set(tmp_path, train=[*TRAIN, row])
    error = failure(tmp_path)
    assert f"train.jsonl line {len(TRAIN) + 1}" in error.message
    assert said in error.message
    assert (error.kind, error.field) == ("invalid", "dataset.name")


def test_a_wrong_row_of_parquet_is_named_with_its_row(tmp_path: Path) -> None:
    make_set(tmp_path, ".parquet", test=[*TEST, {"text": "x", "label": 7}])
    assert "test.parquet row 7: column 'label' holds 7" in failure(tmp_path).message


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_missing_column_is_named_with_the_existing_ones(tmp_path: Path, suffix: str) -> None:
    make_set(tmp_path, suffix, train=[{"body": "x", "label": 0}])
    assert "must have one column 'text', got body, label" in failure(tmp_path).message


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "train.jsonl",
            b'{"text": "x", "label": 0}\n{"text": "y", ',
            "train.jsonl line 2 is not JSON",
        ),
        ("train.jsonl", b'["x", 0]\n', "train.jsonl line 1 must hold a JSON object"),
        ("train.jsonl", b'{"text": "\xff", "label": 0}\n', "train.jsonl line 1 is not JSON"),
        ("train.jsonl", b"", "has no rows in its train split"),
        ("train.jsonl.gz", b"not gzip", "train.jsonl.gz cannot be read"),
        ("train.csv", b"text,label\nx,0,1\n", "train.csv line 2 has 3 columns, the header 2"),
        ("train.csv", b'text,label\n"x,0\n', "train.csv line 2 is not CSV"),
        ("train.csv", b"text,label\n\xff,0\n", "train.csv is not UTF-8"),
        ("train.csv", b"", "train.csv line 1 must have one column 'label', got none"),
        ("train.csv", b"text,label\n", "has no rows in its train split"),
        ("train.parquet", b"PAR1", "train.parquet is not Parquet"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    folder = make_set(tmp_path)
    (folder / "train.jsonl").unlink()
    (folder / name).write_bytes(content)
    assert said in failure(tmp_path).message


def test_a_cut_gzip_file_is_named(tmp_path: Path) -> None:
    folder = make_set(tmp_path, ".jsonl.gz")
    whole = (folder / "train.jsonl.gz").read_bytes()
    (folder / "train.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    assert "train.jsonl.gz cannot be read" in failure(tmp_path).message


def test_a_missing_train_file_is_not_found(tmp_path: Path) -> None:
    (make_set(tmp_path) / "train.jsonl").unlink()
    error = failure(tmp_path)
    assert "has no train file" in error.message
    assert ".jsonl, .jsonl.gz, .json, .json.gz, .csv, .csv.gz, .tsv, .tsv.gz" in error.message
    assert error.kind == "not_found"


def test_two_files_of_one_split_are_refused(tmp_path: Path) -> None:
    write_csv(make_set(tmp_path) / "train.csv", TRAIN)
    assert "more than one train file: train.csv, train.jsonl" in failure(tmp_path).message


def test_a_class_without_training_rows_is_named(tmp_path: Path) -> None:
    make_set(tmp_path, description={**DESCRIPTION, "labels": ["bad", "good", "fair"]})
    assert "no training rows of class 'fair'" in failure(tmp_path).message


def test_a_folder_that_is_no_set_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "reviews").mkdir()
    error = failure(tmp_path)
    assert "neither a folder that holds dataset.json, a train file or images" in error.message
    assert error.kind == "not_found"


@pytest.mark.parametrize("inner", [None, "nowhere/at/all"])
def test_a_missing_data_folder_is_not_found(inner: str | None, tmp_path: Path) -> None:
    data_dir = inner and str(tmp_path / inner)
    with pytest.raises(StillhouseError) as caught:
        load_dataset(
            "reviews",
            source="local",
            data_dir=data_dir,
            splits=[],
            reading=Reading(0.1, 0.2, "refuse"),
        )
    assert (caught.value.kind, caught.value.field) == ("not_found", "dataset.data_dir")


@pytest.mark.parametrize("name", ["../reviews", "", "{tmp_path}/reviews"])
def test_a_name_does_not_lead_out_of_the_data_folder(tmp_path: Path, name: str) -> None:
    make_set(tmp_path)
    inner = tmp_path / "reviews"
    name = name.format(tmp_path=tmp_path)
    with pytest.raises(StillhouseError, match=r"is not a data set"):
        load_dataset(
            name,
            source="local",
            data_dir=str(inner),
            splits=[],
            reading=Reading(0.1, 0.2, "refuse"),
        )
