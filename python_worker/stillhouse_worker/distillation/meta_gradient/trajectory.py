"""theta_0 ... theta_{T-1} as far as they fit into memory; the others are trained again."""

import math
from collections.abc import Callable

import torch

from ...learners.interface import Params


class Trajectory:
    """Parameters at the start of each inner step, read from the last to the first.

    All are kept where they fit, the earliest on the host where the device has no room for them.
    Otherwise every k-th is kept, and those of the segment between two of them are trained again
    when the walk back reaches it, except for the last segment, which is kept as a whole: at most
    ceil(T/k) + k - 1 copies, for not quite one more inner pass. k is the smallest that fits the
    budget or, if none does, the one that needs least, about sqrt(T).

    Attributes:
        whole_from: the step from which on every copy is kept.
    """

    def __init__(self, num_steps: int, theta: Params, max_bytes: int, host_bytes: int = 0) -> None:
        """For ``num_steps`` inner steps, T.

        Args:
            num_steps: T >= 1.
            theta: of the size and on the device of all.
            max_bytes: of copies on the device that trains.
            host_bytes: of further copies in the host's memory; 0 where that is the device.
        """
        self._device = next(iter(theta.values())).device
        num_bytes = sum(p.numel() * p.element_size() for p in theta.values())
        on_device, on_host = max_bytes // num_bytes, host_bytes // num_bytes
        self._spacing = spacing(num_steps, on_device + on_host)
        needed = num_copies(num_steps, self._spacing)
        self._num_on_host = min(on_host, max(0, needed - on_device))
        self.whole_from = 0
        if self._spacing > 1:
            self.whole_from = num_steps - 1 - (num_steps - 1) % self._spacing
        self._kept: dict[int, Params] = {}

    def __len__(self) -> int:
        """Copies that are alive."""
        return len(self._kept)

    def put(self, index: int, theta: Params) -> None:
        """Hand in theta at the start of step ``index``, in order from 0."""
        if index % self._spacing == 0 or index >= self.whole_from:
            # The backward pass needs them last.
            is_early = index < self._spacing * self._num_on_host
            self._kept[index] = _to_host(theta) if is_early else theta

    def take(self, index: int, retrain: Callable[[Params, int], Params]) -> Params:
        """Theta at the start of step ``index``, which cannot be taken a second time.

        Args:
            index: the last one that was not taken yet.
            retrain: (theta at the start of a step, that step) -> theta at the start of the next.
        """
        start = index - index % self._spacing
        self._kept[start] = {
            name: tensor.to(self._device, non_blocking=True)
            for name, tensor in self._kept[start].items()
        }
        for step in range(start, index):
            if step + 1 not in self._kept:
                self._kept[step + 1] = retrain(self._kept[step], step)
        return self._kept.pop(index)


def spacing(num_steps: int, max_copies: int) -> int:
    """k: every k-th of ``num_steps`` copies is kept so that at most ``max_copies`` live at once."""
    candidates = range(1, num_steps + 1)
    fitting = (k for k in candidates if num_copies(num_steps, k) <= max_copies)
    return next(fitting, min(candidates, key=lambda k: num_copies(num_steps, k)))


def num_copies(num_steps: int, k: int) -> int:
    """Copies that live at once when every k-th of ``num_steps`` is kept."""
    return math.ceil(num_steps / k) + k - 1


def _to_host(theta: Params) -> Params:
    """Copies in the host's memory, pinned where they come from a GPU, which need not wait."""
    return {
        name: torch.empty_like(p, device="cpu", pin_memory=p.is_cuda).copy_(p, non_blocking=True)
        for name, p in theta.items()
    }
