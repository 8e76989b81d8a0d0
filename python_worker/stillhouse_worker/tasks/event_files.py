"""Metrics as event files of TensorBoard, beside what is stored."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .reporting import Reporter

# Folder for them, with a folder a task in it; not set: none are written.
_VARIABLE = "STILLHOUSE_TENSORBOARD"


@contextmanager
def with_event_files(reporter: Reporter, task: str) -> Iterator[Reporter]:
    """``reporter``, which also writes event files where a person wants them.

    Args:
        task: name of the task; TensorBoard shows it as a run.
    """
    folder = os.environ.get(_VARIABLE)
    if not folder:
        yield reporter
        return
    writer = _EventFiles(reporter, Path(folder) / task)
    try:
        yield writer
    finally:
        writer.close()


class _EventFiles:
    """A reporter that passes everything on and writes the metrics."""

    def __init__(self, reporter: Reporter, folder: Path) -> None:
        self._reporter, self._folder = reporter, folder
        self._writer: Any = None

    def progress(self, stage: str, done: int, total: int, values: Mapping[str, float]) -> None:
        """Pass it on."""
        self._reporter.progress(stage, done, total, values)

    def metric(self, name: str, step: int, value: float) -> None:
        """Pass it on and write it."""
        self._reporter.metric(name, step, value)
        if self._writer is None:
            from tensorboardX.writer import SummaryWriter  # takes a second that few runs need

            # An attempt that was interrupted may have come farther than its checkpoint. The suffix
            # keeps apart the files of two attempts within a second.
            self._writer = SummaryWriter(
                str(self._folder), purge_step=step, filename_suffix=f".from-{step}"
            )
        self._writer.add_scalar(name, value, step)

    def log(self, level: str, message: str) -> None:
        """Pass it on."""
        self._reporter.log(level, message)

    def checkpoint(self) -> None:
        """Pass it on; what was written before is then on the disk as well."""
        self._reporter.checkpoint()
        if self._writer is not None:
            self._writer.flush()

    def stop_requested(self) -> bool:
        """As the one says that it passes on to."""
        return self._reporter.stop_requested()

    def close(self) -> None:
        """Write what waits."""
        if self._writer is not None:
            self._writer.close()
