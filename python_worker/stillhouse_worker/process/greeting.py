"""When a worker says hello."""

import random
import socket
from collections.abc import Callable

from ..addresses import host_and_port

# Thousands of workers notice the restart of a control plane within two seconds.
LONGEST_WAIT_S = 5.0
# A control plane that does not answer is asked again, by others less and less often.
_INTERVAL_S, _LONGEST_INTERVAL_S = 2.0, 8.0


class Greeting:
    """Says when the next hello is due.

    The first one of a process is due as soon as there is a connection, that of a worker which
    comes back after a random wait, which begins with the connection.

    Args:
        longest_wait_s: in seconds; 0 for a worker that nobody has to wait for.
        draw: a uniform number from 0 to 1.
    """

    def __init__(self, longest_wait_s: float, draw: Callable[[], float] = random.random) -> None:
        self._longest_wait_s, self._draw = longest_wait_s, draw
        self._is_back = False
        # None: it is drawn with the next connection.
        self._due: float | None = None
        self._interval_s = _INTERVAL_S

    def lost(self) -> None:
        """The control plane is away, or does not know the worker any more."""
        self._is_back, self._due, self._interval_s = True, None, _INTERVAL_S

    def is_due(self, connected: bool, now: float) -> bool:
        """Call often; ``now`` in seconds of a monotonic clock."""
        if not connected:
            self._due = None
            return False
        if self._due is None:
            wait = self._longest_wait_s * self._draw() if self._is_back else 0.0
            self._due = now + wait
        return now >= self._due

    def said(self, now: float) -> None:
        """A hello was sent; without an answer the next one is due after a while."""
        self._due = now + self._interval_s
        if self._longest_wait_s > 0:
            self._interval_s = min(2 * self._interval_s, _LONGEST_INTERVAL_S)


def is_of_this_machine(address: str) -> bool:
    """Whether an address, tcp://HOST:PORT, is one of this machine's own."""
    host, _ = host_and_port(address.removeprefix("tcp://"))
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    return any(_can_bind(family, place) for family, _, _, _, place in found)


def _can_bind(family: int, place: tuple[object, ...]) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind(place)
    except OSError:
        return False
    return True
