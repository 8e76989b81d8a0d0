"""The actual bytes of a file behind gzip and byte order marks; pointers of Git LFS are refused."""

import gzip
import io
from pathlib import Path

from .faults import invalid

GZIP_ENDING = ".gz"
_GZIP = b"\x1f\x8b"
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# The beginning of a pointer that Git LFS stores in the repository instead of the file.
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def open_bytes(path: Path) -> io.BufferedReader | gzip.GzipFile:
    """Open a text file behind its byte order mark, decompressed where it is gzip.

    Raises:
        StillhouseError: invalid for a pointer of Git LFS, for UTF-16, and for a file that is not
            gzip though its name ends so.
        OSError: as ``open`` does.
    """
    refuse_pointer(path)
    with path.open("rb") as file:
        is_gzip = file.read(len(_GZIP)) == _GZIP
    if path.name.endswith(GZIP_ENDING) and not is_gzip:
        raise invalid(
            f"{path} cannot be read: it is not gzip, though its name ends in {GZIP_ENDING}"
        )
    opened = gzip.GzipFile(path, "rb") if is_gzip else path.open("rb")
    try:
        start = opened.read(len(_UTF8_MARK))
        if start.startswith(_UTF16_MARKS):
            raise invalid(f"{path} is UTF-16; save it as UTF-8")
        opened.seek(len(_UTF8_MARK) if start == _UTF8_MARK else 0)
    except BaseException:
        opened.close()
        raise
    return opened


def open_text(path: Path) -> io.TextIOWrapper:
    """As `open_bytes`, as UTF-8 with the ends of lines as they are."""
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8", newline="")


def refuse_pointer(path: Path) -> None:
    """Raise ``invalid`` for a file whose content Git LFS has not fetched."""
    with path.open("rb") as file:
        if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
            raise invalid(
                f"{path} is a pointer of Git LFS and not the file itself; fetch it by git lfs pull"
            )
