"""Event files of TensorBoard."""

import errno
import os
import struct
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from stillhouse_worker.context.event_files import with_event_files
from stillhouse_worker.context.reporting import Silent


class Recorder(Silent):
    def __init__(self) -> None:
        self.points: list[tuple[str, int, float]] = []
        self.messages: list[str] = []

    def metric(self, name: str, step: int, value: float) -> None:
        self.points.append((name, step, value))

    def log(self, level: str, message: str) -> None:
        self.messages.append(message)


def events(folder: Path) -> list[Event]:
    """The events of all files; a record is length (8 bytes), checksum (4), content, checksum (4)."""
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
    with with_event_files(recorder, "1a2b-distill", tmp_path / "run") as reporter:
        for point in points:
            reporter.metric(*point)
        reporter.checkpoint()
    assert recorder.points == points
    written = [(name, step, round(value, 6)) for name, step, value in points]
    assert scalars(tmp_path / "1a2b-distill") == written


def test_a_resumed_attempt_drops_what_the_one_before_wrote_beyond_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STILLHOUSE_TENSORBOARD", raising=False)
    for first, last in ((1, 5), (3, 6)):
        with with_event_files(Silent(), "t", tmp_path) as reporter:
            for step in range(first, last):
                reporter.metric("outer_loss", step, float(step))
    starts = [event.step for event in events(tmp_path) if event.HasField("session_log")]
    assert starts == [1, 3]


@pytest.mark.parametrize(("named", "has_folder"), [("", True), (None, False)])
def test_nothing_is_written_without_a_folder_or_where_a_person_switches_it_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None, has_folder: bool
) -> None:
    if named is None:
        monkeypatch.delenv("STILLHOUSE_TENSORBOARD", raising=False)
    else:
        monkeypatch.setenv("STILLHOUSE_TENSORBOARD", named)
    recorder = Recorder()
    with with_event_files(recorder, "t", tmp_path if has_folder else None) as reporter:
        assert reporter is recorder


def test_a_full_disk_ends_only_the_event_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STILLHOUSE_TENSORBOARD", raising=False)
    monkeypatch.setattr("tensorboardX.event_file_writer.RecordWriter", lambda path: FullDisk())
    recorder = Recorder()
    with with_event_files(recorder, "t", tmp_path) as reporter:
        for step in (1, 2, 3):
            reporter.metric("outer_loss", step, 0.5)
            reporter.checkpoint()
    assert recorder.points == [("outer_loss", step, 0.5) for step in (1, 2, 3)]
    (message,) = recorder.messages
    assert "no more event files for TensorBoard: " in message
    assert "No space left" in message


class FullDisk:
    """A file that buffers records and fails when they are flushed."""

    def write(self, record: bytes) -> None:
        pass

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    close = flush
