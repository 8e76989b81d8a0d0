"""Workers, mostly of several hosts, that share the outer steps of a distillation."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch

from ..addresses import own_address
from .meeting import (
    Meeting,
    arrive,
    await_arrival,
    open_meeting,
    reach_meeting,
)
from .process_group import joined
from .team import Team


class Seat(NamedTuple):
    """The place of a worker in a team that the control plane has put together.

    Attributes:
        rank: number of the worker, 0 <= rank < size; 0 leads.
        size: workers, each of them with a device of its own.
        generation: number of the attempt, which earlier ones of the same team do not share.
        host: address at which the others reach the leader; of the leader alone.
        announce: called by the leader with where the others are to come.
        meeting: where the others are to come; None for the leader.
    """

    rank: int
    size: int
    generation: int
    host: str = ""
    announce: Callable[[Meeting], None] | None = None
    meeting: Meeting | None = None


@contextmanager
def seated(seat: Seat, device: str) -> Iterator[Team]:
    """Take the seat for the duration of the context, which begins once all others are there.

    Args:
        seat: of this worker.
        device: of this worker, "cpu" or "cuda:N"; it computes with all threads that it has.

    Raises:
        StillhouseError: ``environment``, retryable, when another worker is lost.
    """
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    rank, size, generation = seat.rank, seat.size, seat.generation
    if seat.meeting is None:
        host = seat.host
        store, meeting = open_meeting(host, generation)
        if seat.announce is not None:
            seat.announce(meeting)
        await_arrival(store, size)
    else:
        host = own_address(seat.meeting.address)
        store = reach_meeting(seat.meeting, generation)
        arrive(store, rank)
    with joined(store, rank, size, device, host) as group:
        yield Team(rank, size, group)
