"""Keeps a worker on a node of Ray, and leaves nothing of it behind.

Run as a program of its own, with the standard library alone, by the Python of Ray: it lives on for
some seconds when its actor is killed, as no code in the actor could.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from typing import Any

# Time for a checkpoint when the actor is gone, such as where its node is taken back.
GRACE_S = 10.0
TAIL_LINES = 20
_TAIL_BYTES = 4096


class Keeper:
    """A worker in a process group of its own.

    Args:
        command: of the worker.
        orders_fd: where "stop" and "kill" come from, a line each; its end is the actor's.
        grace_s: seconds between SIGTERM and SIGKILL after that.
    """

    def __init__(self, command: list[str], orders_fd: int, grace_s: float) -> None:
        self._orders_fd, self._grace_s = orders_fd, grace_s
        self._worker = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(),
            start_new_session=True,
        )
        assert self._worker.stdout is not None
        self._output_fd = self._worker.stdout.fileno()
        self._tail: deque[bytes] = deque([b""], TAIL_LINES + 1)
        self._kill_at = float("inf")

    def keep(self) -> dict[str, Any]:
        """How the worker has ended, and the last lines that it printed."""
        ended_fd = os.pidfd_open(self._worker.pid)
        watched = {self._orders_fd, self._output_fd, ended_fd}
        while True:
            wait = min(max(0.0, self._kill_at - time.monotonic()), 3600.0)
            readable = select.select(watched, [], [], wait)[0]
            if self._orders_fd in readable and not self._obey():
                watched.discard(self._orders_fd)
            if self._output_fd in readable and not self._copy():
                watched.discard(self._output_fd)
            if ended_fd in readable:
                break
            if time.monotonic() >= self._kill_at:
                self._signal(signal.SIGKILL)
        self._signal(signal.SIGKILL)  # what it has started and left behind
        code = self._worker.wait()
        while self._output_fd in watched and self._copy():
            pass
        tail = b"\n".join(self._tail).decode("utf-8", "replace")
        return {"reason": _ending(code), "log_tail": tail[-_TAIL_BYTES:].strip("\n")}

    def _obey(self) -> bool:
        """False when the actor is gone."""
        said = os.read(self._orders_fd, 4096)
        if b"kill" in said:
            self._signal(signal.SIGKILL)
        elif b"stop" in said:
            self._signal(signal.SIGTERM)
        elif not said:
            self._signal(signal.SIGTERM)
            self._kill_at = time.monotonic() + self._grace_s
        return said != b""

    def _copy(self) -> bool:
        """To where Ray keeps what the actor prints, for as long as it does."""
        printed = os.read(self._output_fd, 65536)
        with contextlib.suppress(OSError):
            os.write(1, printed)
        first, *lines = printed.split(b"\n")
        self._tail[-1] = (self._tail[-1] + first)[-_TAIL_BYTES:]
        self._tail.extend(lines)
        return printed != b""

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._worker.pid, number)


def _environment() -> dict[str, str]:
    """That of the node, without what is Ray's own, which may be a token."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {**own, "PYTHONUNBUFFERED": "1"}


def _ending(code: int) -> str:
    if code >= 0:
        return f"it ended with exit code {code}"
    return f"it was killed by {signal.Signals(-code).name}"


def main(folder: str, ends_fd: int, grace_s: float = GRACE_S) -> None:
    """Start the command of the first line of stdin, and write its end to ``ends_fd``.

    Args:
        folder: removed at the end.
        ends_fd: open for writing.
        grace_s: of ``Keeper``.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Ray kills the children of an actor's process when that ends.
    if os.fork() > 0:
        os._exit(0)
    try:
        first_line = b""
        while not first_line.endswith(b"\n"):
            first_line += os.read(0, 1) or b"\n"
        end = Keeper(json.loads(first_line), 0, grace_s).keep()
    except OSError as error:
        end = {"reason": f"it could not be started: {error}", "log_tail": ""}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    # Nobody may be there to read it.
    with contextlib.suppress(OSError):
        os.write(ends_fd, json.dumps(end).encode())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
