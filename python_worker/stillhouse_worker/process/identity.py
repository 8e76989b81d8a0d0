"""The name of a worker: the same after each start, and never that of two at a time."""

import fcntl
import os
import re
import secrets
import socket
from pathlib import Path
from typing import TextIO

_MAX_SLOTS = 1000
_UNWANTED = re.compile(r"[^A-Za-z0-9._-]+")


class Identity:
    """A worker's name, held until the process ends, however it ends.

    Names are kept in files of a folder; a process takes the first that no other one holds. So the
    control plane sees at once that a worker was restarted and that its task is free.

    Args:
        folder: for the files.
        name: beginning of the worker's name; None for that of the machine.
        device: the worker's own.
    """

    def __init__(self, folder: Path, name: str | None, device: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        parts = (name or socket.gethostname(), device.replace(":", ""))
        self._beginning = "-".join(_UNWANTED.sub("-", part) for part in parts)
        self._file = self._first_free(folder)
        self.worker_id = f"{self._beginning}-{self._suffix()}"

    def _first_free(self, folder: Path) -> TextIO:
        for slot in range(_MAX_SLOTS):
            file = (folder / f"{self._beginning}-{slot}.id").open("a+", encoding="ascii")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
            else:
                return file
        raise RuntimeError(f"{_MAX_SLOTS} workers work in {folder} already")

    def _suffix(self) -> str:
        self._file.seek(0)
        known = self._file.read().strip()
        if re.fullmatch(r"[0-9a-f]{8}", known):
            return known
        suffix = secrets.token_hex(4)
        self._file.truncate(0)
        self._file.write(suffix)
        self._file.flush()
        os.fsync(self._file.fileno())
        return suffix
