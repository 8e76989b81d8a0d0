"""Where the processes of a team find each other: a store in the leader."""

import secrets
import socket
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

# They are documented, but not exported in a way that mypy sees.
from torch.distributed import Store, TCPStore  # type: ignore[attr-defined]

from ..addresses import host_and_port
from ..stopping import may_stop
from .process_group import interruptibly, of_generation

_TOKEN_BYTES = 16
_BACKLOG = 128
# The leader's store is there before anybody is told of it.
_REACH_TIMEOUT = timedelta(seconds=30)
_ARRIVAL_POLL = timedelta(seconds=0.2)


class Meeting(NamedTuple):
    """A store that a leader has opened.

    Attributes:
        address: HOST:PORT, with brackets around an IPv6 address.
        token: random; nobody else knows under which names the team writes there.
    """

    address: str
    token: str


def open_meeting(host: str, generation: int) -> tuple[Store, Meeting]:
    """A store in this process, on a free port of one of its addresses alone.

    Args:
        host: IP address of this machine.
        generation: number of the attempt.

    Raises:
        OSError: this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.bind((host, 0))
        listening.listen(_BACKLOG)
        port = listening.getsockname()[1]
        store = TCPStore(
            host,
            port,
            is_master=True,
            wait_for_workers=False,
            timeout=_REACH_TIMEOUT,
            master_listen_fd=listening.detach(),
        )
    shown = f"[{host}]" if ":" in host else host
    meeting = Meeting(f"{shown}:{port}", secrets.token_hex(_TOKEN_BYTES))
    return of_generation(store, generation, meeting.token), meeting


def reach_meeting(meeting: Meeting, generation: int) -> Store:
    """The same store, from another process.

    Raises:
        StillhouseError: ``environment``, retryable, when it is not reached.
    """
    host, port = host_and_port(meeting.address)

    def reach() -> TCPStore:
        return TCPStore(host, port, wait_for_workers=False, timeout=_REACH_TIMEOUT)

    return of_generation(interruptibly(reach), generation, meeting.token)


def arrive(store: Store, rank: int) -> None:
    """Say that this process is about to join."""
    store.set(_sign(rank), "")


def missing(store: Store, ranks: Iterable[int]) -> list[int]:
    """Those of the ranks that have not arrived."""
    return [rank for rank in ranks if not store.check([_sign(rank)])]


def await_arrival(store: Store, size: int) -> None:
    """Wait until all others are about to join; hears of a stop. For the leader alone."""
    for rank in range(1, size):
        while missing(store, [rank]):
            may_stop()
            try:
                store.wait([_sign(rank)], _ARRIVAL_POLL)
            except RuntimeError:  # not within that time
                continue


def _sign(rank: int) -> str:
    return f"process {rank} is about to join"
