"""The rate of an outer step: its schedule, and which tensor follows which rate."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

# One rate for all tensors, or one for each in their order.
Rates = float | Sequence[float]

ScheduleKind = Literal["linear", "step", "constant"]


def rate_of_each(lr: Rates, num_tensors: int) -> Sequence[float]:
    """One rate per tensor."""
    return [lr] * num_tensors if isinstance(lr, int | float) else lr


def rate_at(step: int, num_steps: int, peak: float, warmup_fraction: float) -> float:
    """Linear warm-up to ``peak``, then linear decay to 0 at ``num_steps``; step counts from 0."""
    warmup = int(num_steps * warmup_fraction)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (num_steps - step) / max(1, num_steps - warmup)


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
    decay: float
    decay_steps: int

    def rate(self, step: int, num_steps: int, peak: float) -> float:
        """The rate of ``step``, which counts from 0, of ``num_steps``."""
        if self.kind == "linear":
            return rate_at(step, num_steps, peak, self.warmup_fraction)
        warmup = int(num_steps * self.warmup_fraction)
        rate = peak * min(1.0, (step + 1) / max(1, warmup))
        return rate if self.kind == "constant" else rate * self.decay ** (step // self.decay_steps)
