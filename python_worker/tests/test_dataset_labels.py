"""Which class a label means: the same one in every format."""

from pathlib import Path
from typing import Any

import pytest
from local_sets import DESCRIPTION, WRITERS, Rows, load, make_set

from stillhouse_worker.errors import StillhouseError

FLIPPED = {**DESCRIPTION, "labels": ["1", "0"]}


def rows(labels: list[Any]) -> Rows:
    return [{"text": f"text {at}", "label": label} for at, label in enumerate(labels)]


def classes(data_dir: Path, split: str = "train") -> list[str]:
    dataset = load(data_dir)
    return [dataset.class_names[label] for label in dataset.splits[split].labels]


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("labels", [[1, 0] * 4, ["1", "0"] * 4, [1.0, 0.0] * 4])
def test_a_label_that_is_a_class_name_is_that_class(
    tmp_path: Path, suffix: str, labels: list[Any]
) -> None:
    made = rows(labels)
    make_set(tmp_path, suffix, FLIPPED, train=made, test=made, validation=made)
    assert classes(tmp_path) == ["1", "0"] * 4
    assert any("names of classes and not as positions" in said for said in load(tmp_path).notices)


def test_train_and_test_in_different_formats_agree(tmp_path: Path) -> None:
    folder = make_set(tmp_path, ".csv", FLIPPED, train=rows([1, 0] * 4), test=rows([1, 0] * 4))
    (folder / "test.csv").unlink()
    WRITERS[".jsonl"](folder / "test.jsonl", rows([1, 0, 0]))
    assert classes(tmp_path, "test") == ["1", "0", "0"]


def test_labels_from_one_to_five_are_the_classes_of_these_names(tmp_path: Path) -> None:
    stars = rows([1, 2, 3, 4, 5] * 2)
    names = ["1", "2", "3", "4", "5"]
    make_set(tmp_path, ".jsonl", {**DESCRIPTION, "labels": names}, train=stars, test=stars)
    assert classes(tmp_path, "test") == names * 2


def test_one_name_anywhere_makes_all_labels_names(tmp_path: Path) -> None:
    # 0 and 1 alone would be positions; the 7 of test says that they are meant as names.
    described = {**DESCRIPTION, "labels": ["0", "7"]}
    make_set(tmp_path, ".jsonl", described, train=rows([0, 1] * 4), test=rows([7, 0]))
    with pytest.raises(StillhouseError, match="holds 1, which is not a class; allowed are 0, 7"):
        load(tmp_path)


def test_integers_are_positions_where_no_label_is_a_name(tmp_path: Path) -> None:
    described = {**DESCRIPTION, "labels": ["3", "7"]}
    make_set(tmp_path, ".jsonl", described, train=rows([0, 1] * 4), test=rows([1, 0]))
    dataset = load(tmp_path)
    assert dataset.splits["test"].labels == [1, 0]
    assert not any("names of classes" in notice for notice in dataset.notices)


@pytest.mark.parametrize("named", [["5", "6"], ["1", "2", "3"], ["a", "b"], ["0", "1"]])
@pytest.mark.parametrize("wrong", [7, "x", 0.5])
def test_a_refusal_names_no_label_that_it_refuses(
    tmp_path: Path, named: list[str], wrong: Any
) -> None:
    good = rows([*named * 3])
    make_set(tmp_path, ".jsonl", {**DESCRIPTION, "labels": named}, train=[*good, *rows([wrong])],
             test=good)  # fmt: skip
    with pytest.raises(StillhouseError) as caught:
        load(tmp_path)
    assert str(wrong) not in caught.value.message.partition("allowed are")[2].split(",")


@pytest.mark.parametrize("suffix", WRITERS)
def test_booleans_are_the_classes_named_true_and_false(tmp_path: Path, suffix: str) -> None:
    made = rows([True, False] * 4)
    named = {**DESCRIPTION, "labels": ["False", "True"]}
    make_set(tmp_path, suffix, named, train=made, test=made, validation=made)
    assert classes(tmp_path) == ["True", "False"] * 4


def test_names_in_another_unicode_normal_form_are_the_same(tmp_path: Path) -> None:
    named = {"labels": ["mal", "cafe\u0301"], "text_columns": ["re\u0301vue"], "label_column": "l"}
    made = [{"r\u00e9vue": f"t {at}", "l": ["mal", "caf\u00e9"][at % 2]} for at in range(8)]
    for suffix in (".jsonl", ".csv", ".parquet"):
        folder = make_set(tmp_path, suffix, named, train=made, test=made, validation=made)
        assert load(tmp_path).splits["train"].labels == [0, 1] * 4
        for file in folder.iterdir():
            file.unlink()


def test_classes_without_names_are_found_in_order(tmp_path: Path) -> None:
    for labels, names in (
        ([10, 9, 10, 9], ("9", "10")),
        (["b", "a", "b", "a"], ("a", "b")),
        ([1.0, None, 0.0, 1.0, 0.0], ("0", "1")),
        ([True, False, True, False], ("False", "True")),
    ):
        WRITERS[".jsonl"](tmp_path / "one.jsonl", rows(labels * 4))
        dataset = load(tmp_path, "one.jsonl", bad_rows="skip")
        assert dataset.class_names == names
        assert not any("not as positions" in notice for notice in dataset.notices)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([["a"], ["a", "b"]] * 4, "is multi-label: it holds a list of labels per row"),
        ([0.5, 1.25] * 4, "holds the fraction 0.5, which is not a class"),
        (["a"] * 8, "must hold two or more classes, got a"),
    ],
)
def test_labels_that_are_no_classes_are_refused_in_a_sentence(
    tmp_path: Path, labels: list[Any], said: str
) -> None:
    WRITERS[".parquet"](tmp_path / "one.parquet", rows(labels))
    with pytest.raises(StillhouseError) as caught:
        load(tmp_path, "one.parquet")
    assert said in caught.value.message


def test_no_more_classes_and_no_longer_names_than_can_be_stored(tmp_path: Path) -> None:
    WRITERS[".jsonl"](tmp_path / "many.jsonl", rows([f"c{at}" for at in range(1001)] * 3))
    with pytest.raises(StillhouseError, match=r"more than 1,000 different values"):
        load(tmp_path, "many.jsonl")
    names = ["a", "b" * 201]
    made = rows(names * 4)
    make_set(tmp_path, ".jsonl", {**DESCRIPTION, "labels": names}, train=made, test=made)
    with pytest.raises(StillhouseError, match=r"a name of 201 characters; at most are 200"):
        load(tmp_path)
    many = [f"c{at}" for at in range(1001)]
    made = rows(many * 2)
    make_set(tmp_path, ".jsonl", {**DESCRIPTION, "labels": many}, train=made, test=made)
    with pytest.raises(StillhouseError, match=r"has 1,001 classes; at most are 1,000"):
        load(tmp_path)
