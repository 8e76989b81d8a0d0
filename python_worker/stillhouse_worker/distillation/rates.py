"""The rate of an outer step: its schedule, and which tensor follows which rate."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

# One rate for all tensors, or one for each in their order.
Rates = float | Sequence[float]

ScheduleKind = Literal["linear", "step", "constant"]


def rate_of_each(lr: Rates, num_tensors: int) -> Sequence[float]:
    """One rate per tensor."""
    return [lr] * num_tensors if isinstance(lr, int | float) else lr


class Schedule(NamedTuple):
    """How a rate moves over the steps.

    Attributes:
        kind: after the warm-up "linear" falls linearly to 0, "constant" stays, "step" is multiplied
            by ``decay`` every ``decay_steps`` steps, counted from the first of all.
        warmup_fraction: share of the steps in which the rate rises linearly, in [0, 1).
        decay, decay_steps: of "step": a factor in (0, 1], and a number >= 1.
    """

    kind: ScheduleKind
    warmup_fraction: float
    decay: float = 1.0
    decay_steps: int = 1

    def rate(self, step: int, num_steps: int, peak: float) -> float:
        """The rate of ``step``, which counts from 0, of ``num_steps``."""
        warmup = int(num_steps * self.warmup_fraction)
        rate = peak * (step + 1) / warmup if step < warmup else peak
        if self.kind == "step":
            return rate * self.decay ** (step // self.decay_steps)
        if self.kind == "constant" or step < warmup:
            return rate
        return rate * (num_steps - step) / max(1, num_steps - warmup)
