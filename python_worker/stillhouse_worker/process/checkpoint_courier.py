"""Brings the checkpoints of a task to the control plane, for a machine that does not see its disk.

The checkpoint of a machine that is lost is lost with it, unless the control plane has it.
"""

import threading
import time
from pathlib import Path

from ..context.checkpoint_store import (
    CheckpointFile,
    checkpoint_path,
    newest_files,
    newest_whole_step,
)
from ..errors import StillhouseError
from .checkpoint_transfer import CheckpointTransfer
from .journal import RESEND_AFTER_S
from .outbox import Outbox

# Seconds between two checkpoints that are handed in.
SHORTEST_INTERVAL_S = 20.0
# Share of the time that handing in may take.
MOST_OF_TIME = 0.05
# One transfer may take this long: 1.2 GB at 20 MBit/s.
_LONGEST_TRANSFER_S = 600.0
# What is new at a stop goes within this, of the 30 s that a worker has for stopping.
_LAST_TRANSFER_S = 10.0
# A control plane that acknowledges nothing in this time is away.
_LONGEST_SILENCE_S = 1.5 * RESEND_AFTER_S
_LOOK_INTERVAL_S = 0.25


class CheckpointCourier:
    """Hands in each newest checkpoint of a task's folder, from a thread of its own.

    A checkpoint goes only when all reports from before it were acknowledged: an attempt elsewhere
    that continues from it repeats none of those steps, so nobody would report them again.

    Args:
        folder: the task's own.
        outbox: of the attempt.
        transfer: to the control plane.
        known: the checkpoints that the control plane has.
    """

    def __init__(
        self,
        folder: Path,
        outbox: Outbox,
        transfer: CheckpointTransfer,
        known: list[CheckpointFile],
    ) -> None:
        self._folder, self._outbox, self._transfer = folder, outbox, transfer
        self._handed_in = {file.kind: file for file in known}
        # Number of the last report when a checkpoint was first seen.
        self._last_report: dict[CheckpointFile, int] = {}
        self._next_time = 0.0
        self._told: set[str] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Fetch what the control plane has beyond this machine, then hand in what is new.

        Raises:
            Stopped: a stop was requested meanwhile.
        """
        for file in self._handed_in.values():
            if newest_whole_step(self._folder, file.kind) < file.step:
                self._fetch(file)
        self._thread.start()

    def hand_in_last(self) -> None:
        """Hand in what is new, since the attempt stops; within the time that it has for that."""
        self.end()
        now = time.monotonic()
        deadline, heard = now + _LAST_TRANSFER_S, now + _LONGEST_SILENCE_S
        while (new := self._new()) and (now := time.monotonic()) < deadline:
            reported = [file for file in new if self._is_reported(file)]
            if reported and not self._hand_in(reported[0], deadline - now):
                return
            if not reported and now > heard:
                return
            if not reported:
                time.sleep(_LOOK_INTERVAL_S / 10)

    def end(self) -> None:
        """Hand in nothing more."""
        self._end.set()
        self._transfer.cancel()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(_LOOK_INTERVAL_S):
            ready = [file for file in self._new() if self._is_reported(file)]
            if not ready or time.monotonic() < self._next_time:
                continue
            started = time.monotonic()
            self._hand_in(ready[0], _LONGEST_TRANSFER_S)
            now = time.monotonic()
            rest = (now - started) * (1 / MOST_OF_TIME - 1)
            self._next_time = now + max(SHORTEST_INTERVAL_S, rest)

    def _new(self) -> list[CheckpointFile]:
        newest = newest_files(self._folder)
        new = [file for kind, file in newest.items() if file != self._handed_in.get(kind)]
        last = self._outbox.last_number() if new else 0
        self._last_report = {file: self._last_report.get(file, last) for file in new}
        return new

    def _is_reported(self, file: CheckpointFile) -> bool:
        return self._outbox.acknowledged >= self._last_report[file]

    def _hand_in(self, file: CheckpointFile, within_s: float) -> bool:
        """Whether the control plane has it now."""
        try:
            with checkpoint_path(self._folder, file).open("rb") as content:
                self._transfer.hand_in(file, content, within_s)
        except OSError:  # a newer one has taken its place
            return False
        except StillhouseError as error:
            self._tell(file, error)
            return False
        self._handed_in[file.kind] = file
        return True

    def _tell(self, file: CheckpointFile, error: StillhouseError) -> None:
        # An attempt that is over is told so by other means; each other reason is said once.
        if error.kind in ("conflict", "cancelled") or error.kind in self._told:
            return
        self._told.add(error.kind)
        what = f"the checkpoint of step {file.step} is on this machine alone"
        self._outbox.log("warning", f"{what}: {error.message}")

    def _fetch(self, file: CheckpointFile) -> None:
        what = f"the checkpoint of step {file.step} ({file.kind})"
        try:
            self._transfer.fetch(file, checkpoint_path(self._folder, file))
        except StillhouseError as error:
            self._outbox.log("warning", f"{what} of the control plane is refused: {error.message}")
        else:
            self._outbox.log("info", f"{what} came from the control plane")
