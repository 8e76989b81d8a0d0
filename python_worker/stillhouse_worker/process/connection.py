"""A worker's ZeroMQ socket."""

import secrets

import zmq

from . import worker_log
from .credentials import Credentials, secure

Socket = zmq.Socket[bytes]

# Frames that wait in ZeroMQ itself; beyond that the outbox holds them.
_HIGH_WATER_MARK = 1000
# A silently lost connection is noticed after this long, and opened again.
_PING_INTERVAL_MS, _PING_TIMEOUT_MS = 5_000, 20_000
_LONGEST_RECONNECT_MS = 2_000
_ROUTING_ID_BYTES = 16
# A control plane that refuses a key says nothing at all, so its worker cannot know why.
_FIRST_WORD_S, _FURTHER_WORD_S = 15.0, 300.0


def connect(context: zmq.Context[Socket], address: str, credentials: Credentials) -> Socket:
    """A socket that connects, and reconnects whenever the connection is lost.

    Its routing id is the same after each reconnect and known to nobody else, since a process with
    the same routing id would take over the connection.

    Args:
        context: of ZeroMQ.
        address: of the control plane, tcp://HOST:PORT.
        credentials: what lets it in where the control plane wants keys.
    """
    socket = context.socket(zmq.DEALER)
    # Those that begin with a zero byte are ZeroMQ's own.
    socket.setsockopt(zmq.IDENTITY, b"w" + secrets.token_bytes(_ROUTING_ID_BYTES))
    socket.setsockopt(zmq.LINGER, 1000)
    # Without it ZeroMQ resolves no IPv6 address; with it, those of IPv4 as well.
    socket.setsockopt(zmq.IPV6, 1)
    socket.setsockopt(zmq.SNDHWM, _HIGH_WATER_MARK)
    # A message is refused at once while there is no connection: the outbox keeps it.
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, _LONGEST_RECONNECT_MS)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _PING_INTERVAL_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _PING_TIMEOUT_MS)
    secure(socket, credentials)
    socket.connect(address)
    return socket


class Absence:
    """How long a worker without a task has had no control plane.

    Args:
        limit_s: after which the worker should end.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since: float | None = None

    def is_over(self, needed: bool, now: float) -> bool:
        """Call often; ``needed``: it is connected, or has a task whose result is to be told."""
        if needed:
            self._since = None
        elif self._since is None:
            self._since = now
        return self._since is not None and now - self._since >= self._limit_s


class Silence:
    """Logs now and then that the control plane does not answer.

    Args:
        address: of the control plane.
        has_keys: whether the worker shows a key of CURVE.
    """

    def __init__(self, address: str, *, has_keys: bool) -> None:
        wants = (
            "does it know the keys of this worker" if has_keys else "does it ask for keys (--keys)"
        )
        self._sentence = f"no control plane answers at {address}: is it running, and {wants}?"
        self._next: float | None = None

    def look(self, joined: bool, now: float) -> None:
        """Call often; ``now`` in seconds of a monotonic clock."""
        if joined:
            self._next = None
        elif self._next is None:
            self._next = now + _FIRST_WORD_S
        elif now >= self._next:
            self._next = now + _FURTHER_WORD_S
            worker_log.write("warning", self._sentence)
