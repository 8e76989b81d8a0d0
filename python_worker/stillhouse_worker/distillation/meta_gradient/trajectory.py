"""theta_0 ... theta_{T-1}, as far as they fit into memory; the others are trained again."""

import math
from collections.abc import Callable

from ...learners.encoder import Params


class Trajectory:
    """Parameters at the start of each inner step, read from the last to the first.

    All are kept where they fit. Else every k-th is, and those of one segment between two of them
    are trained again when the walk back reaches it: ceil(T/k) + k - 1 copies at most, for one more
    inner pass. k is the smallest that fits the budget, or where none does the one that needs least,
    about sqrt(T).
    """

    def __init__(self, num_steps: int, max_bytes: int) -> None:
        """For ``num_steps`` inner steps, T, and ``max_bytes`` of copies."""
        self._num_steps, self._max_bytes = num_steps, max_bytes
        self._spacing = 1
        self._kept: dict[int, Params] = {}

    def __len__(self) -> int:
        """Copies that are alive."""
        return len(self._kept)

    def put(self, index: int, theta: Params) -> None:
        """Hand in theta at the start of step ``index``, in order from 0."""
        if index == 0:
            num_bytes = sum(p.numel() * p.element_size() for p in theta.values())
            self._spacing = spacing(self._num_steps, self._max_bytes // num_bytes)
        if index % self._spacing == 0:
            self._kept[index] = theta

    def take(self, index: int, retrain: Callable[[Params, int], Params]) -> Params:
        """Theta at the start of step ``index``, which is not asked for again.

        Args:
            index: the last one that was not taken yet.
            retrain: (theta at the start of a step, that step) -> theta at the start of the next.
        """
        start = index - index % self._spacing
        for step in range(start, index):
            if step + 1 not in self._kept:
                self._kept[step + 1] = retrain(self._kept[step], step)
        return self._kept.pop(index)


def spacing(num_steps: int, max_copies: int) -> int:
    """k: every k-th of ``num_steps`` copies is kept so that at most ``max_copies`` live at once."""
    if num_steps <= max_copies:
        return 1

    def copies(k: int) -> int:
        return math.ceil(num_steps / k) + k - 1

    candidates = range(1, num_steps + 1)
    fitting = (k for k in candidates if copies(k) <= max_copies)
    return next(fitting, min(candidates, key=copies))
