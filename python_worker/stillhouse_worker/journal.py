"""Reports of an attempt on disk until they are acknowledged, beside the checkpoint they belong to.

Whoever goes on from a checkpoint finds here what an attempt before said and nobody took in, so that
the points of its steps are not lost with the process.
"""

import os
import re
import struct
import zlib
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

RESEND_AFTER_S = 2.0

_NAME = re.compile(r"journal-([1-9][0-9]*)")
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
        self.path = folder / f"journal-{attempt}"
        self._file: BinaryIO = self.path.open("wb")
        self._is_broken = False

    def append(self, entry: Entry) -> None:
        """Add a report; a full disk shows at the next `sync`, since the report is not lost yet."""
        try:
            self._file.write(_record(entry))
            self._file.flush()
        except OSError:
            self._is_broken = True

    def sync(self, unacknowledged: Iterable[Entry]) -> None:
        """What was appended outlives a loss of power from here on.

        Args:
            unacknowledged: all that must be in the file, for one that could not be written whole.

        Raises:
            OSError: the disk is full or gone.
        """
        if self._is_broken:
            self._file.truncate(0)
            self._file.seek(0)
            for entry in unacknowledged:
                self._file.write(_record(entry))
            self._file.flush()
            self._is_broken = False
        os.fsync(self._file.fileno())

    def all_acknowledged(self) -> None:
        """Nothing in the file is needed any more."""
        if self._file.tell() > _ENOUGH_BYTES:
            self._file.truncate(0)
            self._file.seek(0)

    def remove(self) -> None:
        """The attempt is over and all of it was acknowledged."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class Leftover:
    """What an earlier attempt left in its journal, handed in one report after the other."""

    def __init__(self, path: Path, task_id: str) -> None:
        self.path = path
        self.lease = (task_id, int(path.name.rpartition("-")[2]))
        self._entries = deque(read_entries(path))
        self._last_sent = float("-inf")

    def take(self, now: float) -> bytes | None:
        """The frame to send now, if it is time."""
        if not self._entries or now - self._last_sent <= RESEND_AFTER_S:
            return None
        self._last_sent = now
        return self._entries[0].frame

    def acknowledge(self, number: int) -> None:
        """The report with this number was taken in."""
        if self._entries and self._entries[0].number == number:
            self._entries.popleft()
            self._last_sent = float("-inf")

    def is_done(self) -> bool:
        """Whether nothing is left; then the file goes."""
        if not self._entries:
            self.path.unlink(missing_ok=True)
        return not self._entries


def leftovers(folder: Path, task_id: str, attempt: int) -> list[Leftover]:
    """Journals in the folder of a task, of attempts before ``attempt``, in their order."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match and int(match[1]) < attempt:
            found.append(Leftover(path, task_id))
    return sorted(found, key=lambda leftover: leftover.lease)


def read_entries(path: Path) -> list[Entry]:
    """The reports of a journal, up to the first that its process did not write whole."""
    content, position, entries = path.read_bytes(), 0, []
    while position + _HEAD.size <= len(content):
        number, length, checksum = _HEAD.unpack_from(content, position)
        start = position + _HEAD.size
        frame = content[start : start + length]
        if len(frame) < length or zlib.crc32(frame) != checksum:
            break
        entries.append(Entry(number, frame))
        position = start + length
    return entries


def _record(entry: Entry) -> bytes:
    head = _HEAD.pack(entry.number, len(entry.frame), zlib.crc32(entry.frame))
    return head + entry.frame
