"""The folders of attempts: each writes into its own, so that none disturbs the next."""

import shutil
from contextlib import suppress
from pathlib import Path

JOURNAL_PREFIX, SECONDS_NAME = "journal-", "seconds"
_ATTEMPTS = "attempts"


def attempt_folder(task_folder: Path, attempt: int) -> Path:
    """The folder of an attempt, existing or not: journal, stopwatch, drafts, downloads."""
    return task_folder / _ATTEMPTS / str(attempt)


def earlier_folders(task_folder: Path, attempt: int) -> list[Path]:
    """The folders of attempts before ``attempt``, in their order.

    The task's own folder comes first: earlier versions had one for all attempts.
    """
    folder = task_folder / _ATTEMPTS
    numbers = [int(path.name) for path in _content(folder) if path.name.isdecimal()]
    earlier = sorted(number for number in numbers if number < attempt)
    return [task_folder, *(folder / str(number) for number in earlier)]


def tidy(folder: Path) -> None:
    """An attempt has ended: what others may ask for stays, its drafts go. Raises nothing."""
    for path in _content(folder):
        if path.name == SECONDS_NAME or path.name.startswith(JOURNAL_PREFIX):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _content(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
