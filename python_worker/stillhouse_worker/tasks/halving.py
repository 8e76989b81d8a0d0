"""The rate of the full-data training, by successive halving on validation."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..context.bench import Bench
from ..errors import StillhouseError
from .full_steps import FullSteps

# The peaks of Adam's rate to try.
FULL_LRS = (2e-5, 5e-5, 1e-4, 2e-4)
# The same for networks, none of whose weights is pretrained.
NET_LRS = (3e-4, 1e-3, 3e-3, 1e-2)
# After these shares of its steps, the better half of the trainings continues.
_RUNGS = (0.25, 0.5, 1.0)


class _Parked(NamedTuple):
    """A training that waits for the others of its rung."""

    step: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]


class _Leg(NamedTuple):
    """What each training does in a rung: its steps from ``begin`` to ``end``.

    Attributes:
        start: steps of all trainings before the rung.
    """

    begin: int
    end: int
    start: int


class Halving:
    """Trainings with several rates; the better half continues after each rung. See `Steps`.

    Each warms up and decays over all its steps, so the one that remains is the same as if only its
    rate had been trained. With four rates, the others together cost as much again: three do a
    quarter of their steps, and one of these another quarter.

    Args:
        bench: whose learner's front is trained in place.
        lrs: rates to try, in rising order.

    Attributes:
        training: the current one; after all steps the one that remains.
    """

    def __init__(self, bench: Bench, lrs: Sequence[float]) -> None:
        self._bench, self._reporter = bench, bench.task.reporter
        front = bench.learner.front.named_parameters()
        self._initial = {name: p.detach().clone() for name, p in front}
        self._alive, self._rung, self._place = list(lrs), 0, 0
        # Accuracy and loss on validation of the trainings that have reached the end of the rung.
        self._scores: dict[str, list[float]] = {}
        self._parked: dict[float, _Parked] = {}
        self.training = FullSteps(bench, self._alive[0])
        self._legs: list[_Leg] = []
        self.num_steps = 0
        ends = [0, *(math.ceil(share * self.training.num_steps) for share in _RUNGS)]
        for rung, (begin, end) in enumerate(itertools.pairwise(ends)):
            self._legs.append(_Leg(begin, end, self.num_steps))
            self.num_steps += max(1, len(lrs) >> rung) * (end - begin)
        self._announce()

    @property
    def step(self) -> int:
        """Finished steps of all trainings; those that a diverged one leaves out count too."""
        leg = self._legs[self._rung]
        return leg.start + self._place * (leg.end - leg.begin) + self.training.step - leg.begin

    def advance(self) -> None:
        """Train the current one on a batch, and continue with the next one at the end of its leg.

        Raises:
            StillhouseError: ``diverged`` with every remaining rate.
        """
        error = None
        try:
            self.training.advance()
        except StillhouseError as caught:
            if caught.kind != "diverged":
                raise
            error = caught
        if error is not None or self.training.step == self._legs[self._rung].end:
            self._end_leg(error)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """See `Steps`: the state of the current training, and those of all that wait."""
        tensors, own = self.training.state()
        for lr, parked in self._parked.items():
            tensors |= {f"{lr}.{name}": tensor for name, tensor in parked.tensors.items()}
        return tensors, {
            "training": {"step": self.training.step, "facts": own},
            "parked": {
                str(lr): {"step": each.step, "facts": each.facts}
                for lr, each in self._parked.items()
            },
            "alive": self._alive,
            "rung": self._rung,
            "place": self._place,
            "scores": self._scores,
        }

    def restore(self, step: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """See `Steps`."""
        self._alive, self._scores = facts["alive"], facts["scores"]
        self._rung, self._place = facts["rung"], facts["place"]
        self._parked = {
            float(lr): _Parked(each["step"], _below(f"{lr}.", tensors), each["facts"])
            for lr, each in facts["parked"].items()
        }
        own = facts["training"]
        self._parked[self._alive[self._place]] = _Parked(own["step"], tensors, own["facts"])
        self._go_on()

    def _end_leg(self, error: StillhouseError | None) -> None:
        """Note how good the current one is, and continue with the next, if there is one."""
        if error is None and self._rung == len(self._legs) - 1:
            return
        training, lr = self.training, self.training.lr
        if error is None:
            accuracy, loss, *_ = training.on_validation()
            self._scores[str(lr)] = [accuracy, loss]
            self._parked[lr] = _snapshot(training)
            where = f"after step {training.step} of {training.num_steps}"
            self._reporter.log("info", f"rate {lr:g}: {accuracy:.1%} of validation {where}")
        else:
            self._reporter.log("warning", f"rate {lr:g} is given up: {error.message}")
        self._place += 1
        if self._place == len(self._alive):
            self._halve(error)
        self._go_on()

    def _halve(self, error: StillhouseError | None) -> None:
        """Keep the better half, without those that diverged; of equal ones those with less loss."""
        finite = [lr for lr in self._alive if str(lr) in self._scores]
        if error is not None and not finite:
            raise error

        def rank(lr: float) -> tuple[float, float]:
            accuracy, loss = self._scores[str(lr)]
            return -accuracy, loss

        ranked = sorted(finite, key=rank)
        self._alive = sorted(ranked[: max(1, len(self._alive) // 2)])
        self._parked = {lr: self._parked[lr] for lr in self._alive}
        self._rung, self._place, self._scores = self._rung + 1, 0, {}

    def _go_on(self) -> None:
        """Make the one whose turn it is the current one."""
        with torch.no_grad():
            for name, parameter in self._bench.learner.front.named_parameters():
                parameter.copy_(self._initial[name])
        lr = self._alive[self._place]
        self.training = FullSteps(self._bench, lr)
        parked = self._parked.pop(lr, None)
        if parked is not None:
            self.training.restore(*parked)
        self._announce()

    def _announce(self) -> None:
        self.training.steps_before = self.step - self.training.step
        self.training.num_all_steps = self.num_steps


def _snapshot(training: FullSteps) -> _Parked:
    """A copy on the CPU, since a GPU may only have room for the current training."""
    tensors, facts = training.state()
    kept = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    return _Parked(training.step, kept, {**facts, "values": dict(facts["values"])})


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
