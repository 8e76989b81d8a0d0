"""Questions and answers as lines of JSON, and what the engine says in between."""

import json
import os
import select
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

from .engine import Engine, Order, Refused, Settings, Status, Unknown, settings_of

# After a worker was told to end, its engine is asked soon and often.
_SOON_S = 1.0
_SOON_FOR_S = 60.0
# Changes within this time are looked at together, and looking takes no more than a tenth of all
# time, however many there are.
_TOGETHER_S = 0.5
_PAUSE_PER_POLL = 9.0


class Lines:
    """Serves one control plane until its end of the pipe is closed.

    The first question must be ``open``. Each is ``{"id", "op", …}``, each answer ``{"id", "ok"}``
    or ``{"id", "error", "is_refusal"}``; ``{"status"}`` comes without a question, when the phase,
    the node or the reason of a launch has changed.

    Args:
        engines: by their names.
        read_fd: where the questions come from.
        answers: where the answers go to.
    """

    def __init__(
        self, engines: Mapping[str, Callable[[Settings], Engine]], read_fd: int, answers: TextIO
    ) -> None:
        self._engines, self._read_fd, self._answers = engines, read_fd, answers
        self._engine: Engine | None = None
        self._fault = "the first question must be open"
        self._told: dict[str, Status] = {}
        self._next_poll = self._soon_until = self._not_before = float("-inf")

    def serve(self) -> None:
        """Every question that was asked is answered, also after the end of the pipe."""
        for line in self._questions():
            if line is not None:
                self._answer(json.loads(line))
            elif self._engine is not None:
                self._poll(self._engine)

    def _questions(self) -> Iterator[str | None]:
        """Whole lines; None whenever it is time to ask the engine."""
        buffered = b""
        while True:
            wait = max(0.0, self._next_poll - time.monotonic()) if self._engine else None
            changes = self._engine.changes if self._engine else None
            watched = [self._read_fd] if changes is None else [self._read_fd, changes]
            readable = select.select(watched, [], [], wait)[0]
            if changes is not None and changes in readable:
                self._note_changes(changes)
            if not readable:
                yield None
            if self._read_fd not in readable:
                continue
            chunk = os.read(self._read_fd, 65536)
            if not chunk:
                return
            *lines, buffered = (buffered + chunk).split(b"\n")
            yield from (line.decode() for line in lines)

    def _note_changes(self, changes: int) -> None:
        os.read(changes, 65536)
        soon = max(time.monotonic() + _TOGETHER_S, self._not_before)
        self._next_poll = min(self._next_poll, soon)

    def _answer(self, question: Mapping[str, Any]) -> None:
        answer: dict[str, Any] = {"id": question["id"]}
        try:
            answer["ok"] = self._do(question)
        except (Refused, ValueError, TypeError) as error:
            answer |= {"error": str(error), "is_refusal": True}
        except Unknown as error:
            answer |= {"error": str(error), "is_refusal": False}
        self._write(answer)

    def _do(self, question: Mapping[str, Any]) -> Any:
        match question["op"]:
            case "open":
                self._engine = self._open(question)
                self._next_poll = time.monotonic() + self._engine.poll_s
            case "launch":
                order = Order(**question["order"])
                self._opened().launch(order)
                self._told.setdefault(order.launch_id, Status(order.launch_id, "pending"))
            case "list":
                live = self._opened().live()
                self._told |= {status.launch_id: status for status in live}
                return [status._asdict() for status in live]
            case "stop" | "kill":
                self._soon_until = time.monotonic() + _SOON_FOR_S
                self._next_poll = min(self._next_poll, time.monotonic() + _SOON_S)
                engine = self._opened()
                (engine.stop if question["op"] == "stop" else engine.kill)(question["launch_id"])
            case other:
                raise ValueError(f"there is no question {other!r}")
        return None

    def _open(self, question: Mapping[str, Any]) -> Engine:
        try:
            return self._engines[question["engine"]](settings_of(question["settings"]))
        except ValueError as error:
            # What was asked in the meantime is refused for the same reason.
            self._fault = str(error)
            raise

    def _opened(self) -> Engine:
        if self._engine is None:
            raise ValueError(self._fault)
        return self._engine

    def _poll(self, engine: Engine) -> None:
        """An engine that does not answer has said nothing; it is asked again next time."""
        now = time.monotonic()
        self._next_poll = now + (_SOON_S if now < self._soon_until else engine.poll_s)
        if not self._told:
            return
        try:
            live = {status.launch_id: status for status in engine.live()}
        except (Refused, Unknown):
            return
        finally:
            took_s = time.monotonic() - now
            self._not_before = now + (1 + _PAUSE_PER_POLL) * took_s
        for launch_id, before in list(self._told.items()):
            status = live.get(launch_id) or engine.end_of(launch_id)
            if status == before:
                continue
            self._told[launch_id] = status
            if status.phase == "ended":
                del self._told[launch_id]
            self._write({"status": status._asdict()})

    def _write(self, message: Mapping[str, Any]) -> None:
        self._answers.write(json.dumps(message) + "\n")
        self._answers.flush()
