"""The messages between the processes of a team, over gloo or NCCL."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed
from torch import Tensor

# The stores are documented, but not exported in a way that mypy sees.
from torch.distributed import PrefixStore, Store, Work  # type: ignore[attr-defined]

from ..errors import StillhouseError
from ..stopping import may_stop

T = TypeVar("T")

# The leader validates and writes checkpoints between steps while the others wait for it. A process
# that is lost is noticed long before: its connection ends, or the control plane misses it.
_LONGEST_WAIT = timedelta(minutes=30)
_POLL_S = 0.0005
_STOP_POLL_S = 0.1
_NUM_THREADS = 2
# Of those that a stop has left in the middle of a message.
_unfinished: list[tuple["ProcessGroup", Work]] = []


class ProcessGroup:
    """What this process and the others of its team tell each other, until it is left.

    It is no default group of `torch.distributed`, so that a process can be in one team after the
    other. Waits hear of a stop, which leaves the group unusable.

    Args:
        store: where the processes find each other; of this group alone.
        rank: number of this process, 0 <= rank < size.
        size: processes.
        device: where the tensors of all messages are: "cpu", or a CUDA device.
        host: address of this machine at which the others reach it; not used by NCCL.

    Raises:
        StillhouseError: ``environment``, retryable, when another process does not come.
    """

    def __init__(self, store: Store, rank: int, size: int, device: str, host: str) -> None:
        self._rank, self._device = rank, torch.device(device)
        is_cuda = self._device.type == "cuda"
        backend = _nccl if is_cuda else _gloo
        self._backend = interruptibly(lambda: backend(store, rank, size, host))
        self._work: Work | None = None

    def add_up(self, flat: Tensor) -> None:
        """Replace a tensor by its sum over all processes, in which it has one shape and type."""
        self._finish(self._backend.allreduce([flat]))

    def of_leader(self, content: bytes) -> bytes:
        """What the leader gives; what the others give is not read."""
        size = torch.tensor([len(content)], device=self._device)
        self._finish(self._backend.broadcast(size, 0))
        if not (num_bytes := int(size.item())):
            return b""
        data = torch.empty(num_bytes, dtype=torch.uint8)
        if self._rank == 0:
            data.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        data = data.to(self._device)
        self._finish(self._backend.broadcast(data, 0))
        return data.cpu().numpy().tobytes()

    def leave(self) -> None:
        """No further message; others that still wait for one learn that this process is gone."""
        # Its end would wait for the message, and everything else in this process with it.
        if self._work is not None and not self._work.is_completed():
            _unfinished.append((self, self._work))
        _unfinished[:] = [(group, work) for group, work in _unfinished if not work.is_completed()]

    def _finish(self, work: Work) -> None:
        self._work = work
        while not work.is_completed():
            may_stop()
            time.sleep(_POLL_S)
        try:
            work.wait()
        except RuntimeError as error:
            raise _lost(str(error)) from error


def has_unfinished() -> bool:
    """Whether a stop has left a message behind, for which the end of the interpreter would wait."""
    return any(not work.is_completed() for _, work in _unfinished)


def interruptibly(call: Callable[[], T]) -> T:
    """What ``call`` returns, unless a stop is heard first; the call is then left to its thread.

    Raises:
        StillhouseError: ``environment``, retryable, for whatever `torch.distributed` raises.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # whoever waits gets it
            future.set_exception(error)

    threading.Thread(target=run, name="team", daemon=True).start()
    while True:
        try:
            return future.result(timeout=_STOP_POLL_S)
        except NotYet:
            may_stop()
        except RuntimeError as error:
            raise _lost(str(error)) from error


@contextmanager
def joined(store: Store, rank: int, size: int, device: str, host: str) -> Iterator[ProcessGroup]:
    """A group for the duration of the context; see `ProcessGroup`."""
    group = ProcessGroup(store, rank, size, device, host)
    try:
        yield group
    finally:
        group.leave()


def of_generation(store: Store, generation: int, token: str) -> Store:
    """The part of a store for an attempt: what an earlier one still writes is not seen here."""
    return PrefixStore(f"{generation}/{token}", store)


def _lost(what: str) -> StillhouseError:
    message = f"a process that shares the outer steps was lost: {what.splitlines()[0]}"
    return StillhouseError("environment", message, retryable=True)


def _gloo(store: Store, rank: int, size: int, host: str) -> Any:
    gloo: Any = torch.distributed.ProcessGroupGloo
    options = gloo._Options()
    options._timeout, options._threads = _LONGEST_WAIT, _NUM_THREADS
    # By itself it takes the address of the host's name, at which often no other host reaches it.
    options._devices = [gloo.create_device(hostname=host)]
    return gloo(store, rank, size, options)


def _nccl(store: Store, rank: int, size: int, host: str) -> Any:
    nccl: Any = torch.distributed.ProcessGroupNCCL
    options = nccl.Options()
    options._timeout = _LONGEST_WAIT
    return nccl(store, rank, size, options)
