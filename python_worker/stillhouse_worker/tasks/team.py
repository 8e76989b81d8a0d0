"""Start the processes that share the outer steps of a distillation, and join them."""

import multiprocessing
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed

from ..distillation.team import ALONE, Team
from ..errors import StillhouseError

# What a helper does: it gets its place in the team and its device.
Follow = Callable[[Team, str], None]

# The leader validates and writes checkpoints between steps while its helpers wait for it.
_LONGEST_WAIT = timedelta(minutes=30)


@contextmanager
def leading(size: int, device: str, work_dir: Path, follow: Follow) -> Iterator[Team]:
    """Lead a team: this process is the first, and ``size`` - 1 helpers of this host join it.

    Args:
        size: processes, >= 1; one alone starts nothing.
        device: "cpu", which all share, or "cuda:N", of which the helpers take the next ones.
        work_dir: where the processes find each other.
        follow: what a helper runs; it and what it holds can be pickled.
    """
    if size == 1:
        yield ALONE
        return
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="team-", dir=work_dir) as folder:
        store = f"file://{Path(folder).resolve()}/store"
        helpers = [
            context.Process(
                target=_help, args=(follow, Team(rank, size), device, store), daemon=True
            )
            for rank in range(1, size)
        ]
        for helper in helpers:
            helper.start()
        try:
            with _joined(Team(0, size), device, store):
                yield Team(0, size)
        finally:
            for helper in helpers:
                helper.kill()
                helper.join()


def _help(follow: Follow, team: Team, device: str, store: str) -> None:
    # What ends the whole group is the leader's to handle: it stops after a checkpoint.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)
    try:
        with _joined(team, device, store) as own_device:
            follow(team, own_device)
    except StillhouseError as error:  # the leader fails with the same one, or is gone
        sys.exit(error.message)


@contextmanager
def _joined(team: Team, device: str, store: str) -> Iterator[str]:
    """Be a member while inside; gives this member's device."""
    kind, _, first = device.partition(":")
    threads = torch.get_num_threads()
    if kind == "cuda":
        device = f"cuda:{int(first or 0) + team.rank}"
        torch.cuda.set_device(device)
    else:
        torch.set_num_threads(max(1, threads // team.size))
    torch.distributed.init_process_group(
        "nccl" if kind == "cuda" else "gloo",
        init_method=store,
        rank=team.rank,
        world_size=team.size,
        timeout=_LONGEST_WAIT,
    )
    try:
        yield device
    finally:
        torch.distributed.destroy_process_group()
        torch.set_num_threads(threads)
