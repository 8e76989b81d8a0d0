"""Reports of an attempt on disk until they are acknowledged, in the attempt's own folder.

An attempt that resumes from a checkpoint finds here the reports of earlier attempts that nobody
acknowledged, so that the points of those steps are not lost with the process. Each report contains
the secret of its attempt, with which anybody could hand it in, so only its owner may read the file.
"""

import os
import re
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from .attempt_folder import JOURNAL_PREFIX, earlier_folders

RESEND_AFTER_S = 2.0

_OWNER_ONLY = 0o600
_NAME = re.compile(rf"{JOURNAL_PREFIX}([1-9][0-9]*)")
# Number of the report, length of its frame, CRC-32 of the frame.
_HEAD = struct.Struct("<QII")
# A file that is smaller is not worth a change when all of it has been acknowledged.
_ENOUGH_BYTES = 64 << 10


class Entry(NamedTuple):
    """One report: its number within the attempt, and the frame that is sent."""

    number: int
    frame: bytes


class Journal:
    """The file of one attempt. A process that is killed leaves all that was appended."""

    def __init__(self, folder: Path, attempt: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{JOURNAL_PREFIX}{attempt}"
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
        self._file = os.fdopen(os.open(self.path, flags, _OWNER_ONLY), "w+b", buffering=0)
        self._size = 0
        self._read_up_to = 0
        # The latest, which a full disk did not take.
        self._missing: deque[Entry] = deque()

    def append(self, entry: Entry) -> None:
        """Add a report; a full disk shows at the next `sync`, since the report is not lost yet."""
        self._missing.append(entry)
        with suppress(OSError):
            self._write_missing()

    def sync(self) -> None:
        """Make what was appended survive a power failure.

        Raises:
            OSError: the disk is full or missing.
        """
        self._write_missing()
        os.fsync(self._file.fileno())

    def mark(self) -> None:
        """`next_after` begins with what is appended from here on."""
        self._read_up_to = self._size

    def next_after(self, number: int) -> Entry:
        """The report that follows the one of this number, which is the last that was read.

        Raises:
            OSError: it cannot be read any more.
        """
        while self._read_up_to < self._size:
            entry = _entry_at(self._file, self._read_up_to)
            if entry is None:
                raise OSError(f"{self.path} was changed by another program")
            self._read_up_to += _HEAD.size + len(entry.frame)
            if entry.number > number:
                return entry
        return next(entry for entry in self._missing if entry.number > number)

    def all_acknowledged(self) -> None:
        """All of the file has been acknowledged."""
        self._missing.clear()
        if self._size > _ENOUGH_BYTES:
            self._file.truncate(0)
            self._size = self._read_up_to = 0

    def remove(self) -> None:
        """The attempt is over and all of it was acknowledged."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _write_missing(self) -> None:
        while self._missing:
            record, written = _record(self._missing[0]), 0
            # A part that was written before the disk was full is written over at the next try.
            while written < len(record):
                place = self._size + written
                written += os.pwrite(self._file.fileno(), record[written:], place)
            self._size += len(record)
            self._missing.popleft()


class Leftover:
    """Reports that an earlier attempt left in its journal, sent one after the other."""

    def __init__(self, path: Path, task_id: str) -> None:
        self.path = path
        self.lease = (task_id, int(path.name.rpartition("-")[2]))
        self._entries = read_entries(path)
        self._next = next(self._entries, None)
        self._last_sent = float("-inf")

    def take(self, now: float) -> bytes | None:
        """The frame to send now, if it is time."""
        if self._next is None or now - self._last_sent <= RESEND_AFTER_S:
            return None
        self._last_sent = now
        return self._next.frame

    def acknowledge(self, number: int) -> None:
        """The report with this number was taken in."""
        if self._next is not None and self._next.number == number:
            self._next = next(self._entries, None)
            self._last_sent = float("-inf")

    def is_done(self) -> bool:
        """Whether nothing is left; then the file goes."""
        if self._next is None:
            self.path.unlink(missing_ok=True)
        return self._next is None


def leftovers(task_folder: Path, task_id: str, attempt: int) -> list[Leftover]:
    """Journals that attempts before ``attempt`` left of a task, in their order."""
    found = []
    for folder in earlier_folders(task_folder, attempt):
        for path in folder.iterdir() if folder.is_dir() else ():
            match = _NAME.fullmatch(path.name)
            if not match or int(match[1]) >= attempt:
                continue
            with suppress(PermissionError):  # that of another user, who alone may hand it in
                found.append(Leftover(path, task_id))
    return sorted(found, key=lambda leftover: leftover.lease)


def read_entries(path: Path) -> Iterator[Entry]:
    """The reports of a journal, up to the first that its process did not write whole."""
    with path.open("rb", buffering=0) as file:
        position = 0
        while entry := _entry_at(file, position):
            yield entry
            position += _HEAD.size + len(entry.frame)


def _entry_at(file: FileIO, position: int) -> Entry | None:
    """The report that begins there, if it is whole."""
    head = os.pread(file.fileno(), _HEAD.size, position)
    if len(head) < _HEAD.size:
        return None
    number, length, checksum = _HEAD.unpack(head)
    frame = os.pread(file.fileno(), length, position + _HEAD.size)
    return Entry(number, frame) if zlib.crc32(frame) == checksum else None


def _record(entry: Entry) -> bytes:
    head = _HEAD.pack(entry.number, len(entry.frame), zlib.crc32(entry.frame))
    return head + entry.frame
