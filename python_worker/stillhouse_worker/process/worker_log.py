"""The log of a worker: one JSON object per line on stderr, with the task that it is about.

Warnings of libraries are also sent to the control plane, as lines of the running task.
"""

import datetime
import json
import logging
import sys
from collections.abc import Callable
from typing import Any, Protocol

from ..printable import printable

_OWN = "stillhouse_worker"
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Sink(Protocol):
    """Takes lines for a person."""

    def log(self, level: str, message: str) -> None:
        """A line; level is debug, info, warning or error."""


def configure(worker_id: str, running: Callable[[], Sink | None]) -> None:
    """Send all that is logged in this process to stderr, and warnings of libraries to ``running``.

    Args:
        worker_id: is part of every line.
        running: returns the running task, if there is one.
    """
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(_JsonLines(worker_id))
    logging.basicConfig(level=logging.WARNING, handlers=[lines, _ToTask(running)], force=True)
    logging.getLogger(_OWN).setLevel(logging.INFO)
    logging.captureWarnings(True)


def write(level: str, message: str, **ids: Any) -> None:
    """A line of the worker's own, with the ids of what it speaks of."""
    logging.getLogger(_OWN).log(_LEVELS[level], message, extra={"ids": ids})


class _JsonLines(logging.Formatter):
    def __init__(self, worker_id: str) -> None:
        super().__init__()
        self._worker_id = worker_id

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "worker": self._worker_id,
            **getattr(record, "ids", {}),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        # JSON escapes some of them; a terminal that shows the line obeys more.
        return printable(json.dumps(line, ensure_ascii=False))


class _ToTask(logging.Handler):
    def __init__(self, running: Callable[[], Sink | None]) -> None:
        super().__init__(logging.WARNING)
        self._running = running

    def emit(self, record: logging.LogRecord) -> None:
        task = self._running()
        if task is not None and not record.name.startswith(_OWN):
            level = "error" if record.levelno >= logging.ERROR else "warning"
            task.log(level, record.getMessage().strip())
