"""Sets without a description, files of other names, and hints where content and name disagree."""

import gzip
import json
from pathlib import Path

import pytest
from local_sets import DESCRIPTION, TEST, TRAIN, WRITERS, Rows, load, make_set, write_jsonl

from stillhouse_worker.datasets.catalog import find_dataset
from stillhouse_worker.errors import StillhouseError


def message(data_dir: Path, name: str = "reviews") -> str:
    with pytest.raises(StillhouseError) as caught:
        load(data_dir, name)
    return caught.value.message


def test_a_folder_without_description_is_recognised_and_a_notice_says_how(tmp_path: Path) -> None:
    folder = make_set(tmp_path)
    (folder / "dataset.json").unlink()
    dataset = load(tmp_path)
    assert dataset.notices[0] == (
        "Recognised in reviews: train in train.jsonl; test in test.jsonl; texts in text; "
        "labels in label; classes 0, 1."
    )
    assert dataset.layout.files == {"train": ("train.jsonl",), "test": ("test.jsonl",)}


def test_a_file_is_a_set_whose_test_part_is_held_out(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "mine.jsonl", TRAIN)
    dataset = load(tmp_path, "mine.jsonl", test_fraction=0.3)
    assert dataset.num_rows == {"train": 12, "validation": 2, "test": 6}
    assert dataset.splits == load(tmp_path, "mine.jsonl", test_fraction=0.3).splits


@pytest.mark.parametrize("name", ["dev", "val", "valid"])
def test_validation_files_may_have_other_names(tmp_path: Path, name: str) -> None:
    folder = make_set(tmp_path, validation=TEST)
    (folder / "validation.jsonl").rename(folder / f"{name}.jsonl")
    assert load(tmp_path).num_rows == {"train": 20, "validation": 6, "test": 6}


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_split_may_have_several_files(tmp_path: Path, suffix: str) -> None:
    folder = make_set(tmp_path, suffix)
    (folder / f"train{suffix}").unlink()
    for part, rows in enumerate((TRAIN[:8], TRAIN[8:])):
        WRITERS[suffix](folder / f"train-0000{part}-of-00002{suffix}", rows)
    assert load(tmp_path).num_rows["train"] == 16
    (folder / f"train-00001-of-00002{suffix}").unlink()
    assert "has 1 of the 2 files of train" in message(tmp_path)


def test_a_byte_order_mark_does_not_count_as_content(tmp_path: Path) -> None:
    for suffix in (".jsonl", ".json", ".csv", ".tsv"):
        folder = make_set(tmp_path, suffix)
        for file in folder.iterdir():
            file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
        assert load(tmp_path).num_rows["test"] == 6
        for file in folder.iterdir():
            file.unlink()


def test_gzip_is_recognised_whatever_the_name(tmp_path: Path) -> None:
    for suffix in (".jsonl", ".csv", ".json"):
        folder = make_set(tmp_path, suffix)
        for file in folder.glob(f"*{suffix}"):
            file.write_bytes(gzip.compress(file.read_bytes()))
        assert load(tmp_path).num_rows["test"] == 6
        for file in folder.iterdir():
            file.unlink()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 18585438\n"


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_pointer_of_git_lfs_says_how_to_fetch_the_file(tmp_path: Path, suffix: str) -> None:
    folder = make_set(tmp_path, suffix)
    (folder / f"train{suffix}").write_bytes(POINTER)
    assert f"train{suffix} is a pointer of Git LFS" in message(tmp_path)
    assert "git lfs pull" in message(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "train.csv",
            "text;label\nx;0\n",
            "train.csv is separated by semicolons; its name says com",
        ),
        ("train.csv", "text\tlabel\nx\t0\n", "train.csv is separated by tabs"),
        ("train.tsv", "text,label\nx,0\n", "train.tsv is separated by commas; its name says tabs"),
        ("train.jsonl", json.dumps(TRAIN, indent=1), "rename it to train.json"),
        ("train.jsonl", json.dumps(TRAIN), "rename it to train.json"),
        ("train.json", "[" * 100_000, "train.json is not JSON"),
        ("train.json", "[1]", "train.json row 1 must hold a JSON object, got 1"),
    ],
)
def test_a_file_whose_content_and_name_disagree_gets_a_hint(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    folder = make_set(tmp_path)
    (folder / "train.jsonl").unlink()
    (folder / name).write_text(content)
    assert said in message(tmp_path)


def test_a_utf_16_file_is_refused_by_its_encoding(tmp_path: Path) -> None:
    folder = make_set(tmp_path, ".csv")
    (folder / "train.csv").write_bytes("text,label\nx,0\n".encode("utf-16"))
    assert "train.csv is UTF-16; save it as UTF-8" in message(tmp_path)


def test_a_folder_is_found_in_another_unicode_normal_form(tmp_path: Path) -> None:
    make_set(tmp_path).rename(tmp_path / "cafe\u0301")
    assert load(tmp_path, "caf\u00e9").num_rows["test"] == 6


def test_a_single_other_column_is_the_text_and_of_two_one_must_be_named(tmp_path: Path) -> None:
    rows: Rows = [{"utterance": f"t {at}", "label": at % 2} for at in range(20)]
    write_jsonl(tmp_path / "one.jsonl", rows)
    assert load(tmp_path, "one.jsonl").text_columns == ("utterance",)
    write_jsonl(tmp_path / "two.jsonl", [{**row, "more": "x"} for row in rows])
    assert "name it by --text-column" in message(tmp_path, "two.jsonl")


def test_a_path_is_looked_up_nowhere_else(tmp_path: Path) -> None:
    make_set(tmp_path)
    assert find_dataset("reviews", str(tmp_path), "local").source == "local"
    for name, said in (
        ("bbc_news", f"there is no file or folder {tmp_path / 'bbc_news'} on "),
        ("empty", "holds neither dataset.json nor a train file"),
        ("notes.txt", "its name must end in .jsonl"),
    ):
        (tmp_path / "empty").mkdir(exist_ok=True)
        (tmp_path / "notes.txt").write_text("x")
        with pytest.raises(StillhouseError) as caught:
            find_dataset(name, str(tmp_path), "local")
        assert said in caught.value.message


def test_a_data_folder_that_is_a_set_says_how_to_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stillhouse_worker.datasets import catalog

    monkeypatch.setattr(catalog, "hub_is_reachable", lambda: False)
    monkeypatch.setattr(catalog, "is_cached", lambda _name: False)
    folder = make_set(tmp_path, description=DESCRIPTION)
    for name in ("mine", None):
        with pytest.raises(StillhouseError, match=f"which --dataset {folder} takes"):
            find_dataset(name, str(folder))
