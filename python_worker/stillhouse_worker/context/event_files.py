"""Metrics as event files of TensorBoard, in addition to the stored ones."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .reporting import Reporter

# Folder for them, with a folder a task in it, instead of that of the run; empty: none are written.
_VARIABLE = "STILLHOUSE_TENSORBOARD"


@contextmanager
def with_event_files(reporter: Reporter, task: str, beside: Path | None) -> Iterator[Reporter]:
    """``reporter``, which also writes event files.

    Args:
        task: name of the task.
        beside: folder for its event files where a person names no other; None for none.
    """
    named = os.environ.get(_VARIABLE)
    folder = beside if named is None else Path(named) / task if named else None
    if folder is None:
        yield reporter
        return
    writer = _EventFiles(reporter, folder)
    try:
        yield writer
    finally:
        writer.close()


class _EventFiles:
    """A reporter that passes everything on and writes the metrics.

    No task fails because these files cannot be written: it logs that and continues.
    """

    def __init__(self, reporter: Reporter, folder: Path) -> None:
        self._reporter, self._folder = reporter, folder
        self._writer: Any = None
        self._is_broken = False

    def progress(self, stage: str, done: int, total: int, values: Mapping[str, float]) -> None:
        """Pass it on."""
        self._reporter.progress(stage, done, total, values)

    def metric(self, name: str, step: int, value: float) -> None:
        """Pass it on and write it."""
        self._reporter.metric(name, step, value)
        if self._is_broken:
            return
        from tensorboardX.summary import scalar

        try:
            if self._writer is None:
                self._writer = _open(self._folder, step)
            self._writer.write_event(_event(step, summary=scalar(name, value)))
        except OSError as error:
            self._give_up(error)

    def log(self, level: str, message: str) -> None:
        """Pass it on."""
        self._reporter.log(level, message)

    def checkpoint(self) -> None:
        """Pass it on; what was written before is then on the disk as well."""
        self._reporter.checkpoint()
        if self._writer is not None:
            try:
                self._writer.flush()
            except OSError as error:
                self._give_up(error)

    def stop_requested(self) -> bool:
        """As the wrapped reporter says."""
        return self._reporter.stop_requested()

    def close(self) -> None:
        """Write what waits."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()

    def _give_up(self, error: OSError) -> None:
        self._reporter.log("warning", f"no more event files for TensorBoard: {error}")
        self.close()
        self._writer, self._is_broken = None, True


def _open(folder: Path, first_step: int) -> Any:
    """The library's writer without its thread, which would hide that a disk is full."""
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import SessionLog

    folder.mkdir(parents=True, exist_ok=True)
    # The suffix keeps apart the files of two attempts within a second.
    writer = EventsWriter(str(folder / "events"), f".from-{first_step}")
    # An interrupted attempt may have written steps beyond its checkpoint.
    writer.write_event(_event(first_step, session_log=SessionLog(status=SessionLog.START)))
    return writer


def _event(step: int, **what: Any) -> Any:
    from tensorboardX.proto.event_pb2 import Event

    return Event(wall_time=time.time(), step=step, **what)
