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
from ..learners.lanes import num_lanes, side_by_side
from ..seeding import generator

# Rates that are tried: the one that is right depends on the length of an encoder's vectors, and
# differs by two orders of magnitude.
FIRST_RATES = (0.015, 0.05, 0.15, 0.5, 1.5, 5.0, 15.0)
# Where the search begins; it goes on in the direction in which the loss falls.
_MIDDLE = 3
# A rate is taken that lowers the loss by so much of what the best one does: with a higher rate
# learners differ more, and outer steps lower it again. A share of the loss itself would take the
# lowest rate of all where one step gains little, as on five classes that overlap.
_SHARE = 0.9
# Learners that a rate is judged by, each on as many rows of train. Heads differ more than rows:
# with two of them the best rate of pairs of sentences was ten times too high.
_NUM_LEARNERS = 8
_NUM_ROWS = 32


def first_rate(
    bench: Bench, inner_loss: InnerLoss, data: DistilledData, targets: list[int]
) -> float:
    """The lowest rate of `FIRST_RATES` that lowers the loss on real rows nearly as the best does.

    Args:
        bench: data and learner.
        inner_loss: what learners are trained with.
        data: at its start; its first rate is replaced, and the others keep their ratio to it.
        targets: C, the class that rows of each class are to be taken for.

    Raises:
        Stopped: a stop was requested.
    """
    trials, lanes = _trials(bench, inner_loss, targets), num_lanes(bench.learner, bench.device)
    untrained = sum(trial.loss(trial.theta) for trial in trials)
    losses: dict[int, float] = {}

    def loss_at(index: int) -> float:
        if not 0 <= index < len(FIRST_RATES):
            return math.inf
        if index not in losses:
            if bench.task.reporter.stop_requested():
                raise Stopped
            stage = "choosing the first rate"
            bench.task.reporter.progress(stage, len(losses), len(FIRST_RATES), {})
            losses[index] = _loss(trials, _with_rate(data, FIRST_RATES[index]), lanes)
        return losses[index]

    best = _MIDDLE
    for direction in (1, -1):
        while loss_at(best + direction) < loss_at(best):
            best += direction
    lowest, enough = best, untrained - _SHARE * (untrained - loss_at(best))
    while lowest > 0 and loss_at(lowest - 1) <= enough:
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

    def loss(self, theta: Params) -> float:
        """That of the learner with these parameters."""
        with torch.no_grad():
            return sum(part(theta).item() for part in self.losses)


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
            num_parts(bench.device, len(rows)),
        )
        theta = bench.starts.of_outer_step(index)
        trials.append(_Trial(theta, inner_loss.of_learner(seed, "first rate", index), losses))
    return trials


def _loss(trials: list[_Trial], data: DistilledData, lanes: int) -> float:
    """The sum over learners; infinite where it is not finite."""

    def trained(trial: _Trial) -> float:
        return trial.loss(train_learner(trial.inner_loss, data, trial.theta))

    total = sum(side_by_side(trained, trials, lanes))
    return total if math.isfinite(total) else math.inf
