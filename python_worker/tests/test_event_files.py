"""Event files of TensorBoard."""

import struct
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from stillhouse_worker.tasks.event_files import with_event_files
from stillhouse_worker.tasks.reporting import Silent


class Recorder(Silent):
    def __init__(self) -> None:
        self.points: list[tuple[str, int, float]] = []

    def metric(self, name: str, step: int, value: float) -> None:
        self.points.append((name, step, value))


def events(folder: Path) -> list[Event]:
    """The events of all files: records of length (8 bytes), its check (4), bytes, their check (4)."""
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            found.append(Event.FromString(content[at + 12 : at + 12 + length]))
            at += 16 + length
    return found


def scalars(folder: Path) -> list[tuple[str, int, float]]:
    return [
        (value.tag, event.step, round(value.simple_value, 6))
        for event in events(folder)
        for value in event.summary.value
    ]


def test_every_point_is_passed_on_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLHOUSE_TENSORBOARD", str(tmp_path))
    recorder = Recorder()
    points = [("outer_loss", step, 1 / step) for step in range(1, 6)]
    with with_event_files(recorder, "1a2b-distill") as reporter:
        for point in points:
            reporter.metric(*point)
        reporter.checkpoint()
    assert recorder.points == points
    written = [(name, step, round(value, 6)) for name, step, value in points]
    assert scalars(tmp_path / "1a2b-distill") == written


def test_a_resumed_attempt_drops_what_the_one_before_wrote_beyond_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLHOUSE_TENSORBOARD", str(tmp_path))
    for first, last in ((1, 5), (3, 6)):
        with with_event_files(Silent(), "t") as reporter:
            for step in range(first, last):
                reporter.metric("outer_loss", step, float(step))
    starts = [event.step for event in events(tmp_path / "t") if event.HasField("session_log")]
    assert starts == [1, 3]


def test_nothing_is_written_unless_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STILLHOUSE_TENSORBOARD", raising=False)
    recorder = Recorder()
    with with_event_files(recorder, "t") as reporter:
        assert reporter is recorder
