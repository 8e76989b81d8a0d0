"""Notices that a person should read before using a data set, one sentence each."""

from collections import defaultdict

from .rows import Dataset

# A notice names at most this many classes.
_SHOWN_CLASSES = 20


def notices_of(dataset: Dataset, test_fraction: float) -> tuple[str, ...]:
    """The notices of its source, and those about its splits."""
    sentences = (
        _recognised(dataset),
        *dataset.notices,
        _test_part(dataset, test_fraction),
        _skipped(dataset),
        _overlap(dataset),
    )
    return tuple(sentence for sentence in sentences if sentence)


def _recognised(dataset: Dataset) -> str:
    if not dataset.layout.is_recognised:
        return ""
    names = dataset.class_names
    more = f" and {len(names) - _SHOWN_CLASSES} more" if len(names) > _SHOWN_CLASSES else ""
    parts = [
        *(f"{split} in {', '.join(files)}" for split, files in dataset.layout.files.items()),
        *_columns(dataset),
        f"classes {', '.join(names[:_SHOWN_CLASSES])}{more}",
    ]
    return f"Recognised in {dataset.name}: {'; '.join(parts)}."


def _columns(dataset: Dataset) -> list[str]:
    content = "texts" if dataset.image is None else f"{dataset.image} images"
    if not dataset.text_columns:
        return [content]
    columns = " and ".join(dataset.text_columns)
    return [f"{content} in {columns}", f"labels in {dataset.layout.label_column}"]


def _test_part(dataset: Dataset, test_fraction: float) -> str:
    if dataset.test_from == "validation":
        return (
            f"{dataset.name} has no test rows with labels: its validation split is the test split, "
            "and validation is held out of train."
        )
    # Stillhouse itself divides packaged sets, as the documentation says.
    if dataset.test_from == "train" and dataset.source != "packaged":
        return (
            f"{dataset.name} has no test rows: {100 * test_fraction:.4g} % of each class of train "
            "are held out as test (--test-fraction), the same rows each time."
        )
    return ""


def _skipped(dataset: Dataset) -> str:
    if not dataset.skipped:
        return ""
    by_split: defaultdict[str, list[str]] = defaultdict(list)
    for split, reason, count in dataset.skipped:
        by_split[split].append(f"{count:,} for {reason}")
    parts = [f"{', '.join(reasons)} in {split}" for split, reasons in by_split.items()]
    total = sum(skipped.rows for skipped in dataset.skipped)
    return (
        f"{total:,} row{'' if total == 1 else 's'} of {dataset.name} left out: {'; '.join(parts)} "
        "(--on-bad-rows refuse stops at the first)."
    )


def _overlap(dataset: Dataset) -> str:
    count, total = dataset.test_rows_in_train, dataset.num_rows["test"]
    if not count:
        return ""
    same, new = ("the same texts but for white space", "texts")
    if dataset.image is not None:
        same, new = ("the same images", "images")
    return (
        f"WARNING: {count:,} of {total:,} test rows are also in train, {same}: scores on them do "
        f"not show how well a learner does on new {new}."
    )
