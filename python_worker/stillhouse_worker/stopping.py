"""A stop that is heard in loops far below the task that it is meant for.

Reading a data set or hashing a model takes as long as a task, and happens a dozen calls below it,
in code that knows nothing of tasks.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_check: ContextVar[Callable[[], None] | None] = ContextVar("check", default=None)


@contextmanager
def stoppable(check: Callable[[], None]) -> Iterator[None]:
    """Within the block, and in this thread alone, `may_stop` calls ``check``.

    Args:
        check: raises where the work is to end.
    """
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def may_stop() -> None:
    """Raise what the block of `stoppable` wants to end with; nothing outside of one.

    Cheap enough for every row of a data set.
    """
    check = _check.get()
    if check is not None:
        check()
