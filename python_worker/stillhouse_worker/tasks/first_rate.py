"""The rate of the first inner step, where the settings leave it open."""

import math
from typing import NamedTuple

import torch

from ..context.bench import Bench
from ..context.reporting import Stopped
from ..datasets import collate
from ..distillation.inner import InnerLoss, train_learner
from ..distillation.outer import OuterLoss
from ..distillation.outer_loss import num_parts, outer_losses
from ..distillation.synthetic import DistilledData
from ..learners.interface import Params
from ..seeding import generator

# Rates that are tried: the one that is right depends on the length of an encoder's vectors, and
# differs by two orders of magnitude.
FIRST_RATES = (0.015, 0.05, 0.15, 0.5, 1.5, 5.0, 15.0)
# Where the search begins; it goes on in the direction in which the loss falls.
_MIDDLE = 3
# A rate is taken although a higher one has a loss that is lower by a tenth: with the higher one
# learners differ more, and outer steps lower it again.
_TOLERANCE = 1.1
# Learners that a rate is judged by, each on as many rows of train.
_NUM_LEARNERS = 2
_NUM_ROWS = 64


def first_rate(
    bench: Bench, inner_loss: InnerLoss, data: DistilledData, targets: list[int]
) -> float:
    """The lowest rate of `FIRST_RATES` whose loss on real rows after the inner steps is near the
    least.

    Args:
        bench: data and learner.
        inner_loss: what learners are trained with.
        data: at its start; its first rate is replaced, and the others keep their ratio to it.
        targets: C, the class that rows of each class are to be taken for.

    Raises:
        Stopped: a stop was requested.
    """
    trials = _trials(bench, inner_loss, targets)
    losses: dict[int, float] = {}

    def loss_at(index: int) -> float:
        if not 0 <= index < len(FIRST_RATES):
            return math.inf
        if index not in losses:
            if bench.task.reporter.stop_requested():
                raise Stopped
            stage = "choosing the first rate"
            bench.task.reporter.progress(stage, len(losses), len(FIRST_RATES), {})
            losses[index] = _loss(trials, _with_rate(data, FIRST_RATES[index]))
        return losses[index]

    best = _MIDDLE
    for direction in (1, -1):
        while loss_at(best + direction) < loss_at(best):
            best += direction
    lowest = best
    while loss_at(lowest - 1) <= _TOLERANCE * loss_at(best):
        lowest -= 1
    rate = FIRST_RATES[lowest]
    bench.task.reporter.log("info", f"the first inner rate is {rate:g}, of a search")
    return rate


def _with_rate(data: DistilledData, rate: float) -> DistilledData:
    return data._replace(lrs=data.lrs * (rate / data.lrs[0]))


class _Trial(NamedTuple):
    """A learner before the inner steps, what it is trained with, and its loss on real rows."""

    theta: Params
    inner_loss: InnerLoss
    losses: list[OuterLoss]


def _trials(bench: Bench, inner_loss: InnerLoss, targets: list[int]) -> list[_Trial]:
    train, seed = bench.splits["train"], bench.task.settings.seed
    order = torch.randperm(len(train.labels), generator=generator(seed, "rows of the first rate"))
    classes = torch.tensor(targets, device=bench.device)
    trials = []
    for index, rows in enumerate(order[: _NUM_LEARNERS * _NUM_ROWS].chunk(_NUM_LEARNERS)):
        batch = collate(train, rows).to(bench.device)
        losses = outer_losses(
            bench.learner,
            bench.learner.embed(*batch.inputs),
            batch.mask,
            classes[batch.labels],
            bench.task.settings.precision,
            num_parts(bench.device),
        )
        theta = bench.starts.of_outer_step(index)
        trials.append(_Trial(theta, inner_loss.of_learner(seed, "first rate", index), losses))
    return trials


def _loss(trials: list[_Trial], data: DistilledData) -> float:
    """The sum over learners; infinite where it is not finite."""
    total = 0.0
    for trial in trials:
        theta = train_learner(trial.inner_loss, data, trial.theta)
        with torch.no_grad():
            total += sum(part(theta).item() for part in trial.losses)
    return total if math.isfinite(total) else math.inf
