"""Data sets and models that clients have sent, kept on this machine for all of its workers."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import StillhouseError
from ..stopping import may_stop

# What is kept in all; folders that a task uses at present are never removed.
_MOST_BYTES = 64 << 30
_LOCK_INTERVAL_S = 0.2

Fetch = Callable[[Path, Callable[[int], None]], None]


class FolderCache:
    """Folders by the ids of what they hold: ``ROOT/ID``, complete or not there at all.

    A lock file per folder, which the kernel releases with the process, is shared by the tasks that
    use it, and held alone by the one that fetches or removes it.

    Args:
        root: of the cache; made when it is needed.
        most_bytes: that it may hold.
    """

    def __init__(self, root: Path, most_bytes: int = _MOST_BYTES) -> None:
        self._root, self._most_bytes = root, most_bytes

    @contextmanager
    def held(self, folder_id: str, fetch: Fetch) -> Iterator[Path]:
        """The folder of an id, which stays there inside the context.

        Args:
            folder_id: SHA-256, hexadecimal.
            fetch: fills an empty folder, after it has called what it is given with the number of
                bytes; called only where the folder is not there.

        Raises:
            Stopped: a stop was requested while another worker fetched it.
            StillhouseError: ``exhausted`` where it is larger than the cache; what ``fetch`` raises.
        """
        self._root.mkdir(parents=True, exist_ok=True)
        folder = self._root / folder_id
        lock = os.open(self._lock_of(folder), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _wait_for(lock, fcntl.LOCK_SH)
            while not folder.is_dir():
                _wait_for(lock, fcntl.LOCK_EX)
                if not folder.is_dir():
                    self._fetch(folder, fetch)
                _wait_for(lock, fcntl.LOCK_SH)
            os.utime(folder)
            yield folder
        finally:
            os.close(lock)

    def _fetch(self, folder: Path, fetch: Fetch) -> None:
        draft = self._root / f".{folder.name}.draft"
        try:
            fetch(draft, self._make_room)
            draft.replace(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _make_room(self, num_bytes: int) -> None:
        """Remove the folders that were used longest ago, and by no task at present."""
        if num_bytes > self._most_bytes:
            raise StillhouseError(
                "exhausted",
                f"a folder of {num_bytes} bytes is larger than the cache {self._root}, "
                f"which holds at most {self._most_bytes}",
            )
        kept = [path for path in self._root.iterdir() if path.is_dir() and path.name[0] != "."]
        kept.sort(key=_used)
        sizes = {path: _size(path) for path in kept}
        for path in kept:
            if sum(sizes.values()) + num_bytes <= self._most_bytes:
                return
            if self._removed(path):
                del sizes[path]

    def _removed(self, folder: Path) -> bool:
        """Whether it is gone; not where a task uses it."""
        lock = os.open(self._lock_of(folder), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            gone = self._root / f".{folder.name}.draft"
            folder.replace(gone)
            shutil.rmtree(gone, ignore_errors=True)
            return True
        finally:
            os.close(lock)

    def _lock_of(self, folder: Path) -> Path:
        return self._root / f"{folder.name}.lock"


def _wait_for(lock: int, kind: int) -> None:
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            may_stop()
            time.sleep(_LOCK_INTERVAL_S)
        else:
            return


def _used(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:  # another worker has removed it
        return 0.0


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # removed meanwhile
            continue
    return total
