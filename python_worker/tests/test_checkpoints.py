"""Overlapping attempts share their checkpoints, and none continues from a damaged one."""

import os
from pathlib import Path

import pytest
import torch
from tasks_of import task_of

from stillhouse_worker.context.checkpoint_store import CheckpointStore
from stillhouse_worker.context.notes import Notes
from stillhouse_worker.context.training_checkpoints import TrainingCheckpoints


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path, "training", "checkpoint.safetensors")


def never(sentence: str) -> None:
    raise AssertionError(sentence)


def content_of(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()


def test_the_newest_step_counts_whichever_attempt_wrote_it(store, tmp_path) -> None:
    assert store.newest(never) is None
    successor = CheckpointStore(tmp_path, "training", "checkpoint.safetensors")
    store.put(9, b"nine")
    successor.put(10, b"ten")
    store.put(4, b"four, from one that was given up")
    assert content_of(successor.newest(never)) == b"ten"
    assert content_of(store.newest(never)) == b"ten"


def test_the_last_two_are_kept(store, tmp_path) -> None:
    for step in (1, 2, 10, 100):
        store.put(step, f"{step}".encode())
    CheckpointStore(tmp_path, "rates", "chosen_lr.json").put(1, b"of another kind")
    files = sorted((tmp_path / "checkpoints").iterdir())
    assert [path.read_bytes() for path in files] == [b"of another kind", b"10", b"100"]


@pytest.mark.parametrize("damage", [b"", b"other"])
def test_a_damaged_checkpoint_is_reported_and_the_one_before_counts(store, damage) -> None:
    store.put(1, b"first")
    store.put(2, b"second")
    newest = store.newest(never)
    assert newest is not None
    newest.write_bytes(damage)
    told: list[str] = []
    assert content_of(store.newest(told.append)) == b"first"
    assert [("step 2 is damaged" in sentence) for sentence in told] == [True]


def test_the_later_of_two_checkpoints_of_one_step_counts(store, tmp_path) -> None:
    store.put(3, b"earlier")
    for path in (tmp_path / "checkpoints").iterdir():
        os.utime(path, (1, 1))
    store.put(3, b"later")
    assert content_of(store.newest(never)) == b"later"


def test_a_checkpoint_of_an_earlier_version_counts_until_there_is_a_newer_one(
    store, tmp_path
) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"of old")
    assert content_of(store.newest(never)) == b"of old"
    store.put(1, b"new")
    assert content_of(store.newest(never)) == b"new"


@pytest.mark.parametrize(("owner", "is_taken"), [("mine", True), ("", True), ("other", False)])
def test_a_checkpoint_of_another_task_is_refused_with_the_reason(
    tmp_path, settings, reporter, owner, is_taken
) -> None:
    """Its hash is right; one from before the task was noted is taken."""
    theirs = task_of(settings, reporter, tmp_path, task_id=owner)
    TrainingCheckpoints(theirs).write(3, {"x": torch.ones(2)}, {"step": 3})
    Notes(theirs, "learners", "learners.json").write(1, ["noted"])
    task = task_of(settings, reporter, tmp_path, task_id="mine")
    checkpoints = TrainingCheckpoints(task)
    saved = checkpoints.read(checkpoints.newest())
    noted = Notes(task, "learners", "learners.json").read()
    assert (saved is not None, noted) == (is_taken, ["noted"] if is_taken else None)
    if saved is not None:
        assert saved[1] == {"step": 3}
    told = " ".join(line for level, line in reporter.lines if level == "warning")
    assert told.count("it is a checkpoint of task other, not of mine") == (0 if is_taken else 2)
    assert ("starts again from step 1" in told) != is_taken
