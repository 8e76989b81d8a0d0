"""The reports of one attempt to the control plane: numbered, and kept until acknowledged."""

import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from .. import convert
from ..convert.lease import Lease
from . import worker_log
from .journal import RESEND_AFTER_S, Entry, Journal

METRIC_INTERVAL_S = 0.5
PROGRESS_INTERVAL_S = 0.25
# A report of this many points takes some 300 KB.
MAX_POINTS = 5_000
# Unacknowledged reports beyond this size are kept only in the journal.
MAX_HELD_BYTES = 8 << 20


class Outbox:
    """Filled by the computing thread, emptied by the transport; safe between the two.

    It is the `Reporter` of the task.

    Args:
        lease: what the reports are about; its secret goes with each.
        journal: where reports are kept until they are acknowledged; in memory are only the oldest
            of many. None for memory alone.
    """

    def __init__(self, lease: Lease, journal: Journal | None = None) -> None:
        self._lease = lease
        self.stop = threading.Event()
        self.progress_counter = 0
        # Of the last progress; empty before the first.
        self.stage = ""
        self._is_sealed = False
        self.acknowledged = 0
        self._journal = journal
        self._lock = threading.Lock()
        self._unsent: deque[Entry] = deque()
        self._sent: deque[Entry] = deque()
        self._held_bytes = 0
        # Number of the last report, and of the last one that is in memory.
        self._number = self._last_held = 0
        self._points: list[tuple[str, int, float]] = []
        self._num_points = 0
        self._progress: bytes | None = None
        self._rate = _Rate()
        self._last_sent = 0.0

    def progress(self, stage: str, done: int, total: int, values: Mapping[str, float]) -> None:
        """Keep only the latest progress."""
        rate = self._rate.update(stage, done)
        message = convert.progress(stage, done, total, rate, values)
        frame = convert.report(self._lease, 0, progress=message)
        with self._lock:
            self.progress_counter += 1
            self.stage, self._progress = stage, frame

    def metric(self, name: str, step: int, value: float) -> None:
        """Gather points; they are sent together."""
        with self._lock:
            self.progress_counter += 1
            self._points.append((name, step, value))
            if len(self._points) >= MAX_POINTS:
                self._flush_points()

    def log(self, level: str, message: str) -> None:
        """A line for a person."""
        worker_log.write(level, message, task=self._lease.task_id, attempt=self._lease.attempt)
        self.add(log=convert.log_line(level, message))

    def checkpoint(self) -> None:
        """Write all reports so far to the disk; called before each checkpoint.

        Raises:
            OSError: the disk is full or missing.
        """
        with self._lock:
            self._flush_points()
            if self._journal is not None:
                self._journal.sync()

    def last_number(self) -> int:
        """Number of the last report; every point that was gathered is in one."""
        with self._lock:
            self._flush_points()
            return self._number

    def stop_requested(self) -> bool:
        """Whether the task should write a checkpoint and stop."""
        return self.stop.is_set()

    def add(self, **kind: Any) -> None:
        """Queue a report that must arrive; metric points gathered before it leave before it."""
        with self._lock:
            if not self._is_sealed:
                self._flush_points()
                self._queue(**kind)

    def seal(self) -> None:
        """Take no further report."""
        with self._lock:
            self._is_sealed = True

    def take(self, now: float) -> list[bytes]:
        """Frames to send: the new ones, and again those that nobody acknowledged for a while."""
        with self._lock:
            self._flush_points()
            self._refill()
            frames = []
            if self._sent and now - self._last_sent > RESEND_AFTER_S:
                frames = [entry.frame for entry in self._sent]
            frames += [entry.frame for entry in self._unsent]
            self._sent.extend(self._unsent)
            self._unsent.clear()
            if frames:
                self._last_sent = now
            if self._progress is not None:
                frames.append(self._progress)
                self._progress = None
            return frames

    def take_oldest(self, now: float) -> list[bytes]:
        """The oldest report alone, until it is acknowledged.

        For an attempt that is no longer the current one: its points are still taken in, but nobody
        looks any more whether one before them is missing.
        """
        with self._lock:
            self._flush_points()
            self._refill()
            if not self._sent and self._unsent:
                self._sent.append(self._unsent.popleft())
            elif not self._sent or now - self._last_sent <= RESEND_AFTER_S:
                return []
            self._last_sent = now
            return [self._sent[0].frame]

    def send_again(self) -> None:
        """What was sent and not acknowledged may be lost with the connection."""
        with self._lock:
            self._unsent.extendleft(reversed(self._sent))
            self._sent.clear()

    def acknowledge(self, number: int) -> None:
        """Forget every report up to ``number``."""
        with self._lock:
            self.acknowledged = max(self.acknowledged, number)
            for waiting in (self._sent, self._unsent):
                while waiting and waiting[0].number <= number:
                    self._held_bytes -= len(waiting.popleft().frame)
            if self._journal is not None and self._is_acknowledged():
                self._journal.all_acknowledged()

    def is_empty(self) -> bool:
        """Whether everything that must arrive has been acknowledged."""
        with self._lock:
            return self._is_acknowledged() and (self._is_sealed or not self._points)

    def close(self) -> None:
        """The attempt is over; the journal stays where not all of it was acknowledged."""
        if self._journal is not None and self.is_empty():
            self._journal.remove()

    def _flush_points(self) -> None:
        if not self._points or self._is_sealed:
            return
        points = convert.metrics(self._points, self._num_points + 1)
        self._num_points += len(self._points)
        self._points = []
        self._queue(metrics=points)

    def _queue(self, **kind: Any) -> None:
        self._number += 1
        frame = convert.report(self._lease, self._number, **kind)
        entry = Entry(self._number, frame)
        follows = self._last_held == self._number - 1
        if follows and (self._journal is None or self._held_bytes < MAX_HELD_BYTES):
            self._hold(entry)
        if self._journal is not None:
            self._journal.append(entry)

    def _hold(self, entry: Entry) -> None:
        self._unsent.append(entry)
        self._held_bytes += len(entry.frame)
        self._last_held = entry.number

    def _refill(self) -> None:
        while (
            self._journal is not None
            and self._last_held < self._number
            and self._held_bytes < MAX_HELD_BYTES
        ):
            self._hold(self._journal.next_after(self._last_held))

    def _is_acknowledged(self) -> bool:
        return not self._sent and not self._unsent and self._last_held == self._number


class _Rate:
    """Steps per second of the present stage, over about the last half minute."""

    _WINDOW_S = 30.0

    def __init__(self) -> None:
        self._stage = ""
        self._points: deque[tuple[float, int]] = deque()

    def update(self, stage: str, done: int) -> float:
        now = time.monotonic()
        if stage != self._stage:
            self._stage = stage
            self._points.clear()
        self._points.append((now, done))
        while len(self._points) > 2 and now - self._points[0][0] > self._WINDOW_S:
            self._points.popleft()
        first_time, first_done = self._points[0]
        elapsed = now - first_time
        return (done - first_done) / elapsed if elapsed > 0 else 0.0
