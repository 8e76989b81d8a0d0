"""Start the processes that share the outer steps of a distillation, and join them."""

import multiprocessing
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
import torch.distributed

# It is documented, but not exported in a way that mypy sees.
from torch.distributed import FileStore  # type: ignore[attr-defined]

from ..errors import StillhouseError
from .team import ALONE, Team

# The work of a helper, which is given its place in the team and its device.
Follow = Callable[[Team, str], None]

# A helper imports PyTorch and opens its device before it joins.
_JOIN_TIMEOUT_S = 300.0
_JOIN_POLL_S = 0.05
# The leader validates and writes checkpoints between steps while its helpers wait for it.
_LONGEST_WAIT = timedelta(minutes=30)


@contextmanager
def leading(size: int, device: str, scratch: Path, follow: Follow) -> Iterator[Team]:
    """Lead a team: this process is the first, and ``size`` - 1 helpers of this host join it.

    Args:
        size: processes, >= 1; one alone starts nothing.
        device: "cpu", which all share, or "cuda:N", of which the helpers take the next ones.
        scratch: where the processes find each other.
        follow: what a helper runs; it and what it holds can be pickled.

    Raises:
        StillhouseError: ``environment``, retryable, when a helper does not join.
    """
    if size == 1:
        yield ALONE
        return
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="team-", dir=scratch) as folder:
        store_path = str(Path(folder).resolve() / "store")
        helpers = [
            context.Process(
                target=_help, args=(follow, Team(rank, size), device, store_path), daemon=True
            )
            for rank in range(1, size)
        ]
        for helper in helpers:
            helper.start()
        try:
            store = FileStore(store_path, size)
            _await(helpers, store)
            with _joined(Team(0, size), device, store):
                yield Team(0, size)
        finally:
            for helper in helpers:
                helper.kill()
                helper.join()


def _await(helpers: Sequence[BaseProcess], store: FileStore) -> None:
    """Wait until all helpers are about to join, since a process that joins alone would block."""
    deadline = time.monotonic() + _JOIN_TIMEOUT_S
    missing = dict(enumerate(helpers, 1))
    while missing := {rank: h for rank, h in missing.items() if not store.check([_sign(rank)])}:
        for rank, helper in missing.items():
            if not helper.is_alive():
                raise _not_joined(rank, f"ended with exit code {helper.exitcode}")
            if time.monotonic() > deadline:
                raise _not_joined(rank, f"was not ready after {_JOIN_TIMEOUT_S:.0f} s")
        time.sleep(_JOIN_POLL_S)


def _sign(rank: int) -> str:
    return f"helper {rank} is about to join"


def _not_joined(rank: int, what: str) -> StillhouseError:
    message = f"process {rank} of those that share the outer steps {what} before it joined"
    return StillhouseError("environment", message, retryable=True)


def _help(follow: Follow, team: Team, device: str, store_path: str) -> None:
    # What ends the whole group is the leader's to handle: it stops after a checkpoint.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)
    store = FileStore(store_path, team.size)
    try:
        with _joined(team, device, store) as own_device:
            follow(team, own_device)
    except StillhouseError as error:  # the leader fails with the same error, or has ended
        sys.exit(error.message)


@contextmanager
def _joined(team: Team, device: str, store: FileStore) -> Iterator[str]:
    """Join the team for the duration of the context; yields this member's device."""
    kind, _, first = device.partition(":")
    threads = torch.get_num_threads()
    if kind == "cuda":
        device = f"cuda:{int(first or 0) + team.rank}"
        torch.cuda.set_device(device)
    else:
        torch.set_num_threads(max(1, threads // team.size))
    store.set(_sign(team.rank), "")
    torch.distributed.init_process_group(
        "nccl" if kind == "cuda" else "gloo",
        store=store,
        rank=team.rank,
        world_size=team.size,
        timeout=_LONGEST_WAIT,
    )
    try:
        yield device
    finally:
        torch.distributed.destroy_process_group()
        torch.set_num_threads(threads)
