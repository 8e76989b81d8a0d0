"""How long the attempts at a task have computed."""

import time

from stillhouse_worker.stopwatch import Stopwatch


def test_attempts_add_up(tmp_path) -> None:
    first = Stopwatch(tmp_path)
    time.sleep(0.05)
    kept = first.seconds()
    first.save()
    second = Stopwatch(tmp_path)
    assert second.seconds() >= 0.05
    time.sleep(0.02)
    assert second.seconds() >= 0.07
    second.save()
    assert Stopwatch(tmp_path).seconds() >= kept + 0.02


def test_what_cannot_be_read_or_written_counts_for_nothing(tmp_path) -> None:
    (tmp_path / "seconds").write_text("half a li")
    watch = Stopwatch(tmp_path)
    assert watch.seconds() < 1
    gone = Stopwatch(tmp_path / "not there")
    gone.save()
    assert gone.seconds() < 1
