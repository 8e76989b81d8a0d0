"""Reports of an attempt on disk until they are acknowledged, in the attempt's own folder.

An attempt that resumes from a checkpoint finds here the reports of earlier attempts that nobody
acknowledged, so that the points of those steps are not lost with the process. Each report contains
the secret of its attempt, with which anybody could hand it in, so only its owner may read the file.
"""

import os
import re
import sqlite3
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from . import worker_log
from .attempt_folder import JOURNAL_PREFIX, earlier_folders

RESEND_AFTER_S = 2.0

_OWNER_ONLY = 0o600
_NAME = re.compile(rf"{JOURNAL_PREFIX}([1-9][0-9]*)")
# An append may wait this long for the worker that reads what a lost attempt still writes.
_LOCKED_S = 10.0
# Each append is on the disk when it returns; TRUNCATE keeps the second file, which saves a sync of
# the folder. The write-ahead log of SQLite is for local file systems alone.
_SETTINGS = "PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL"
_TABLE = "CREATE TABLE report (number INTEGER PRIMARY KEY, frame BLOB NOT NULL)"
_APPEND = "INSERT INTO report VALUES (?, ?)"
_NEXT = "SELECT number, frame FROM report WHERE number > ? ORDER BY number LIMIT 1"
# Less than that is not worth a change when all of it has been acknowledged.
_ENOUGH_BYTES = 64 << 10


class Entry(NamedTuple):
    """One report: its number within the attempt, and the frame that is sent."""

    number: int
    frame: bytes


class Journal:
    """A SQLite database with the reports of one attempt.

    What was appended survives the end of the process and of the machine's power. Calls may come
    from several threads, one at a time.

    Raises:
        OSError: there can be no database in the folder: the disk is full, or its file system has
            no locks.
    """

    def __init__(self, folder: Path, attempt: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{JOURNAL_PREFIX}{attempt}"
        _second_file(self.path).unlink(missing_ok=True)  # else it would be played back into this
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY))
        self._num_bytes = 0
        # The latest, which a full disk did not take.
        self._missing: deque[Entry] = deque()
        try:
            self._database = _opened(self.path, _LOCKED_S)
            self._database.executescript(_SETTINGS)
            self._database.execute(_TABLE)
        except sqlite3.Error as error:
            raise OSError(f"No journal of reports in {folder}: {error}") from error

    def append(self, entry: Entry) -> None:
        """Add a report; a full disk shows at the next `sync`, since the report is not lost yet."""
        self._missing.append(entry)
        with suppress(sqlite3.Error):
            self._write_missing()

    def sync(self) -> None:
        """Make sure that all that was appended is on the disk.

        Raises:
            OSError: the disk is full or missing.
        """
        try:
            self._write_missing()
        except sqlite3.Error as error:
            raise OSError(f"{self.path} cannot be written: {error}") from error

    def next_after(self, number: int) -> Entry:
        """The report that follows the one of this number.

        Raises:
            OSError: it cannot be read any more.
        """
        try:
            row = self._database.execute(_NEXT, (number,)).fetchone()
        except sqlite3.Error as error:
            raise OSError(f"{self.path} cannot be read: {error}") from error
        return Entry(*row) if row else next(each for each in self._missing if each.number > number)

    def all_acknowledged(self) -> None:
        """All of it has been acknowledged."""
        self._missing.clear()
        if self._num_bytes > _ENOUGH_BYTES:
            with suppress(sqlite3.Error):  # a repeat would be harmless
                self._database.execute("DELETE FROM report")
                self._num_bytes = 0

    def remove(self) -> None:
        """The attempt is over and all of it was acknowledged."""
        self._database.close()
        _remove(self.path)

    def _write_missing(self) -> None:
        while self._missing:
            self._database.execute(_APPEND, self._missing[0])
            self._num_bytes += len(self._missing.popleft().frame)


class Leftover:
    """Reports that an earlier attempt left in its journal, sent one after the other."""

    def __init__(self, path: Path, task_id: str) -> None:
        self.path = path
        self.lease = (task_id, int(path.name.rpartition("-")[2]))
        self._database: sqlite3.Connection | None = None
        self._number = 0
        self._next: Entry | None = None
        self._is_over = False
        self._last_sent = float("-inf")

    def take(self, now: float) -> bytes | None:
        """The frame to send now, if it is time."""
        self._look()
        if self._next is None or now - self._last_sent <= RESEND_AFTER_S:
            return None
        self._last_sent = now
        return self._next.frame

    def acknowledge(self, number: int) -> None:
        """The report with this number was taken in."""
        if self._next is not None and self._next.number == number:
            self._next = None
            self._last_sent = float("-inf")

    def is_done(self) -> bool:
        """Whether nothing is left; then the file goes."""
        self._look()
        return self._is_over

    def _look(self) -> None:
        """Find the next report, unless the attempt that writes the file has locked it just now."""
        if self._next is not None or self._is_over:
            return
        try:
            self._database = self._database or _opened(self.path, waiting_s=0.0)
            row = self._database.execute(_NEXT, (self._number,)).fetchone()
        except sqlite3.Error as error:
            if error.sqlite_errorname.startswith("SQLITE_BUSY"):
                return
            worker_log.write("warning", f"The reports in {self.path} cannot be read: {error}")
            row = None
        if row is None:
            self._finish()
        else:
            self._next = Entry(*row)
            self._number = self._next.number

    def _finish(self) -> None:
        self._is_over = True
        if self._database is not None:
            self._database.close()
        _remove(self.path)


def leftovers(task_folder: Path, task_id: str, attempt: int) -> list[Leftover]:
    """Journals that attempts before ``attempt`` left of a task, in their order."""
    found = []
    for folder in earlier_folders(task_folder, attempt):
        for path in folder.iterdir() if folder.is_dir() else ():
            match = _NAME.fullmatch(path.name)
            if not match or int(match[1]) >= attempt:
                continue
            if os.access(path, os.R_OK | os.W_OK):  # another user alone may hand in theirs
                found.append(Leftover(path, task_id))
    return sorted(found, key=lambda leftover: leftover.lease)


def _opened(path: Path, waiting_s: float) -> sqlite3.Connection:
    """A file that is there, each statement a transaction of its own."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=waiting_s,
        isolation_level=None,
        check_same_thread=False,
    )


def _second_file(path: Path) -> Path:
    """Where SQLite keeps what a transaction that was interrupted has to be undone with."""
    return path.with_name(f"{path.name}-journal")


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _second_file(path).unlink(missing_ok=True)
