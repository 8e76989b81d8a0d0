"""An actor of Ray that has a worker as its subprocess.

Ray's nodes need not have this package: the class travels with the call that creates the actor, so
that it imports nothing but the standard library and Ray.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

# How long an actor whose worker has ended waits to be asked for that, before it ends as well.
LINGER_S = 10.0


class SeatPlan(NamedTuple):
    """What an actor starts.

    Attributes:
        command: of the worker; "{folder}" in it stands for a folder of its own on the node.
        keys: the files of its folder "keys".
        keeper: source of the program that keeps the worker.
    """

    command: Sequence[str]
    keys: Mapping[str, bytes]
    keeper: str


class Seat:
    """Ends with its worker, and its worker with it."""

    def __init__(self, plan: SeatPlan) -> None:
        folder = Path(tempfile.mkdtemp(prefix="stillhouse-"))  # for this user alone
        program = folder / "keeper.py"
        program.write_text(plan.keeper)
        for name, content in plan.keys.items():
            path = folder / "keys" / name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with open(path, "xb", opener=lambda at, flags: os.open(at, flags, 0o600)) as file:
                file.write(content)
        ends_fd, told_fd = os.pipe()
        keeper = subprocess.Popen(
            [sys.executable, "-I", str(program), str(folder), str(told_fd)],
            stdin=subprocess.PIPE,
            pass_fds=[told_fd],
            start_new_session=True,
        )
        os.close(told_fd)
        assert keeper.stdin is not None
        self._orders = keeper.stdin
        command = [part.replace("{folder}", str(folder)) for part in plan.command]
        self._order(json.dumps(command))
        keeper.wait()  # it goes on as a process of nobody
        self._end: Future[dict[str, str]] = Future()
        threading.Thread(target=self._wait, args=(ends_fd,), daemon=True).start()

    async def node_id(self) -> str:
        """Ray's id of the node. Answers as soon as the actor runs."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    async def end(self) -> dict[str, str]:
        """Answers when the worker has ended: "reason", "log_tail"."""
        return await asyncio.wrap_future(self._end)

    async def stop(self) -> None:
        """Has the worker end in order."""
        self._order("stop")

    async def kill(self) -> None:
        """Ends the worker at once."""
        self._order("kill")

    def _order(self, text: str) -> None:
        try:
            self._orders.write(text.encode() + b"\n")
            self._orders.flush()
        except BrokenPipeError:
            pass  # it has ended

    def _wait(self, ends_fd: int) -> None:
        with open(ends_fd, "rb") as told:
            text = told.read()
        end: dict[str, Any] = {"reason": "its keeper was killed", "log_tail": ""}
        self._end.set_result(json.loads(text) if text else end)
        time.sleep(LINGER_S)
        os._exit(0)
