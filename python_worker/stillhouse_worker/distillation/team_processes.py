"""Processes of one host that share the outer steps of a distillation: start them and join them."""

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import NamedTuple

import torch

# It is documented, but not exported in a way that mypy sees.
from torch.distributed import Store  # type: ignore[attr-defined]

from ..errors import StillhouseError
from .meeting import Meeting, arrive, missing, open_meeting, reach_meeting
from .process_group import joined
from .team import ALONE, Team

# The work of a helper, which is given its place in the team and its device.
Follow = Callable[[Team, str], None]

# A helper imports PyTorch and opens its device before it joins.
_JOIN_TIMEOUT_S = 300.0
_JOIN_POLL_S = 0.05
_HOST = "127.0.0.1"
# A store has one team alone.
_GENERATION = 0


class _Place(NamedTuple):
    """Of a helper in the team; it computes on the device of the leader or on one after it."""

    rank: int
    size: int
    device: str
    meeting: Meeting


@contextmanager
def leading(size: int, device: str, follow: Follow) -> Iterator[Team]:
    """Lead a team: this process is the first, and ``size`` - 1 helpers of this host join it.

    Args:
        size: processes, >= 1; one alone starts nothing.
        device: "cpu", which all share, or "cuda:N", of which the helpers take the next ones.
        follow: what a helper runs; it and what it holds can be pickled.

    Raises:
        StillhouseError: ``environment``, retryable, when a helper does not join.
    """
    if size == 1:
        yield ALONE
        return
    store, meeting = open_meeting(_HOST, _GENERATION)
    context = multiprocessing.get_context("spawn")
    helpers = [
        context.Process(
            target=_help, args=(follow, _Place(rank, size, device, meeting)), daemon=True
        )
        for rank in range(1, size)
    ]
    for helper in helpers:
        helper.start()
    try:
        _await(helpers, store)
        with _sharing(0, size, device, store) as (team, _):
            yield team
    finally:
        for helper in helpers:
            helper.kill()
            helper.join()


def _await(helpers: Sequence[BaseProcess], store: Store) -> None:
    """Wait until all helpers are about to join, since a process that joins alone would block."""
    deadline = time.monotonic() + _JOIN_TIMEOUT_S
    while absent := missing(store, range(1, len(helpers) + 1)):
        for rank in absent:
            helper = helpers[rank - 1]
            if not helper.is_alive():
                raise _not_joined(rank, f"ended with exit code {helper.exitcode}")
            if time.monotonic() > deadline:
                raise _not_joined(rank, f"was not ready after {_JOIN_TIMEOUT_S:.0f} s")
        time.sleep(_JOIN_POLL_S)


def _not_joined(rank: int, what: str) -> StillhouseError:
    message = f"process {rank} of those that share the outer steps {what} before it joined"
    return StillhouseError("environment", message, retryable=True)


def _help(follow: Follow, place: _Place) -> None:
    # What ends the whole group is the leader's to handle: it stops after a checkpoint.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)
    rank, size, device, meeting = place
    try:
        store = reach_meeting(meeting, _GENERATION)
        with _sharing(rank, size, device, store) as (team, own_device):
            follow(team, own_device)
    except StillhouseError as error:  # the leader fails with the same error, or has ended
        sys.exit(error.message)


@contextmanager
def _sharing(rank: int, size: int, device: str, store: Store) -> Iterator[tuple[Team, str]]:
    """Join the team with a share of the devices of this host: yields it and the share."""
    kind, _, first = device.partition(":")
    threads = torch.get_num_threads()
    if kind == "cuda":
        device = f"cuda:{int(first or 0) + rank}"
        torch.cuda.set_device(device)
    else:
        torch.set_num_threads(max(1, threads // size))
    try:
        arrive(store, rank)
        with joined(store, rank, size, device, _HOST) as group:
            yield Team(rank, size, group), device
    finally:
        torch.set_num_threads(threads)
