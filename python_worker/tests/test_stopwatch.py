"""The time of all attempts at a task."""

import time

from stillhouse_worker.process.attempt_folder import attempt_folder
from stillhouse_worker.process.stopwatch import Stopwatch


def started(task_folder, attempt: int) -> Stopwatch:
    attempt_folder(task_folder, attempt).mkdir(parents=True, exist_ok=True)
    return Stopwatch(task_folder, attempt)


def kept(task_folder, attempt: int, seconds: float) -> None:
    folder = attempt_folder(task_folder, attempt)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seconds").write_text(str(seconds))


def test_attempts_add_up(tmp_path) -> None:
    first = started(tmp_path, 1)
    time.sleep(0.02)
    first.save()
    assert started(tmp_path, 2).seconds() >= 0.02
    kept(tmp_path, 1, 100.0)
    kept(tmp_path, 2, 20.0)
    assert 120.0 <= started(tmp_path, 3).seconds() < 121.0


def test_an_attempt_that_was_given_up_does_not_change_the_time_of_its_successor(tmp_path) -> None:
    stale, successor = started(tmp_path, 1), started(tmp_path, 2)
    successor.save()
    kept_by_successor = (attempt_folder(tmp_path, 2) / "seconds").read_text()
    time.sleep(0.02)
    stale.save()
    assert (attempt_folder(tmp_path, 2) / "seconds").read_text() == kept_by_successor


def test_the_time_that_earlier_versions_kept_for_all_attempts_counts(tmp_path) -> None:
    (tmp_path / "seconds").write_text("50")
    kept(tmp_path, 4, 7.0)
    assert 57.0 <= started(tmp_path, 5).seconds() < 58.0


def test_a_time_that_cannot_be_read_or_written_does_not_count(tmp_path) -> None:
    (tmp_path / "seconds").write_text("half a li")
    assert started(tmp_path, 1).seconds() < 60
    gone = Stopwatch(tmp_path / "not there", 1)
    gone.save()
    assert not (tmp_path / "not there").exists()
