"""What is held out, what is kept, and what the fingerprint depends on."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from stillhouse_worker.datasets.holdout import holdout_indices
from stillhouse_worker.datasets.loading import Reading, load_dataset, read_dataset
from stillhouse_worker.datasets.rows import SPLIT_NAMES, Dataset, Row, RowSource, SplitName
from stillhouse_worker.errors import StillhouseError

CLASS_SIZES = (400, 100, 30)


def rows_of(split: str, class_sizes: tuple[int, ...] = CLASS_SIZES) -> list[Row]:
    rows: list[Row] = [
        (f"{split} {label} {number}", None, label)
        for label, size in enumerate(class_sizes)
        for number in range(size)
    ]
    # Classes alternate irregularly, as in a real file.
    return sorted(rows, key=lambda row: (len(row[0]), row[0][::-1]))


def source(*split_names: SplitName, changed: SplitName | None = None) -> RowSource:
    def reader(split: SplitName) -> Iterator[Row]:
        rows = rows_of(split)
        return iter([("changed", None, rows[0][2]), *rows[1:]] if split == changed else rows)

    return RowSource(
        place="made here",
        class_names=("a", "b", "c"),
        text_columns=("text",),
        splits={split: partial(reader, split) for split in split_names},
    )


def read(
    rows: RowSource, splits: tuple[SplitName, ...] = SPLIT_NAMES, fraction: float = 0.1
) -> Dataset:
    return read_dataset("set", "local", rows, splits, Reading(fraction, 0.2, "refuse"))


def test_held_out_validation_is_disjoint_complete_and_stratified() -> None:
    dataset = read(source("train", "test"))
    train, validation = dataset.splits["train"], dataset.splits["validation"]
    assert Counter(validation.labels) == {0: 40, 1: 10, 2: 3}
    assert Counter(train.first + validation.first) == Counter(row[0] for row in rows_of("train"))
    assert dataset.num_rows == {"train": 477, "validation": 53, "test": 530}


def test_both_parts_keep_the_order_of_the_file_and_the_labels_of_the_texts() -> None:
    dataset = read(source("train", "test"))
    order = {text: row for row, (text, _, _) in enumerate(rows_of("train"))}
    labels = {text: label for text, _, label in rows_of("train")}
    for split in (dataset.splits["train"], dataset.splits["validation"]):
        positions = [order[text] for text in split.first]
        assert positions == sorted(positions)
        assert split.labels == [labels[text] for text in split.first]


def test_the_held_out_rows_are_the_same_on_every_machine() -> None:
    # Written out, so that a change of the rule is noticed: cached baselines depend on it.
    assert holdout_indices([0, 1] * 10, 0.2, "validation") == [11, 12, 13, 18]
    assert holdout_indices([0, 1] * 10, 0.2, "test") == [11, 13, 14, 16]


@pytest.mark.parametrize(
    ("size", "fraction", "held_out"),
    [(1, 0.5, 0), (2, 0.01, 1), (2, 0.99, 1), (10, 0.25, 3), (10, 0.24, 2), (100, 0.005, 1)],
)
def test_each_class_gives_a_rounded_share_at_least_one_and_never_its_last(
    size: int, fraction: float, held_out: int
) -> None:
    assert len(holdout_indices([0] * size, fraction, "validation")) == held_out


def test_a_set_without_test_gives_a_fifth_of_train_before_validation() -> None:
    dataset = read(source("train"))
    assert Counter(dataset.splits["test"].labels) == {0: 80, 1: 20, 2: 6}
    assert Counter(dataset.splits["validation"].labels) == {0: 32, 1: 8, 2: 2}
    texts = [text for split in dataset.splits.values() for text in split.first]
    assert Counter(texts) == Counter(row[0] for row in rows_of("train"))


def test_the_test_part_does_not_depend_on_the_validation_fraction() -> None:
    small, large = (read(source("train"), fraction=fraction) for fraction in (0.05, 0.5))
    assert small.splits["test"] == large.splits["test"]


def test_a_set_with_its_own_validation_keeps_its_train_whole() -> None:
    dataset = read(source("train", "validation", "test"))
    assert dataset.splits["train"].first == [row[0] for row in rows_of("train")]
    assert dataset.splits["validation"].first == [row[0] for row in rows_of("validation")]


@pytest.mark.parametrize("splits", [("train", "test"), ("train",), ("train", "validation", "test")])
def test_a_load_of_train_and_validation_holds_no_row_of_test(splits: tuple[SplitName, ...]) -> None:
    whole = read(source(*splits))
    part = read(source(*splits), ("train", "validation"))
    assert set(part.splits) == {"train", "validation"}
    kept = {text for split in part.splits.values() for text in split.first}
    assert kept.isdisjoint(whole.splits["test"].first)
    assert part.num_rows == whole.num_rows
    assert part.fingerprint == whole.fingerprint


def test_test_rows_are_dropped_while_they_are_read() -> None:
    class Tracked(str):
        """A text that counts how many of its kind are alive."""

        alive = 0
        most = 0

        def __init__(self, _text: str) -> None:
            Tracked.alive += 1
            Tracked.most = max(Tracked.most, Tracked.alive)

        def __del__(self) -> None:
            Tracked.alive -= 1

    def test_rows() -> Iterator[Row]:
        for number in range(500):
            yield Tracked(f"test {number}"), None, 0

    rows = source("train")._replace(splits={**source("train").splits, "test": test_rows})
    read(rows, ("train", "validation"))
    assert Tracked.most <= 2


def test_the_fingerprint_changes_with_any_row_of_any_split() -> None:
    names: tuple[SplitName, ...] = ("train", "validation", "test")
    prints = {read(source(*names, changed=changed)).fingerprint for changed in (None, *names)}
    assert len(prints) == 4


def test_the_fingerprint_changes_with_classes_columns_and_labels() -> None:
    rows = source("train", "test")
    other_label = [(text, None, (label + 1) % 3) for text, _, label in rows_of("train")]
    variants = [
        rows,
        rows._replace(class_names=("a", "b", "d")),
        rows._replace(text_columns=("body",)),
        rows._replace(splits={**rows.splits, "train": lambda: iter(other_label)}),
    ]
    assert len({read(variant).fingerprint for variant in variants}) == len(variants)


def test_the_fingerprint_depends_on_where_one_text_ends_and_the_next_begins() -> None:
    def pairs(first: str, second: str) -> RowSource:
        return RowSource(
            "here",
            ("a", "b"),
            ("x", "y"),
            {
                "train": lambda: iter([(first, second, 0), ("v", "w", 1), ("r", "s", 1)]),
                "test": lambda: iter([("t", "u", 0)]),
            },
        )

    assert read(pairs("ab", "c")).fingerprint != read(pairs("a", "bc")).fingerprint


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan"), float("inf")])
def test_a_fraction_out_of_range_is_named(fraction: float) -> None:
    with pytest.raises(StillhouseError, match="must be > 0 and < 1, got") as caught:
        load_dataset(
            "bbc_news",
            source="packaged",
            data_dir=None,
            splits=[],
            reading=Reading(fraction, 0.2, "refuse"),
        )
    assert caught.value.field == "dataset.validation_fraction"


def test_an_unknown_source_is_named() -> None:
    with pytest.raises(StillhouseError, match="must be local, hub or packaged, got 'web'"):
        load_dataset(
            "x", source="web", data_dir=None, splits=[], reading=Reading(0.1, 0.2, "refuse")
        )
