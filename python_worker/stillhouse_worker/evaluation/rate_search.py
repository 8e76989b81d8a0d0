"""Chooses a learning rate on validation; finished rates survive an interruption."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from ..context.bench import Bench
from ..context.notes import Notes
from ..context.reporting import Stopped
from ..learners.interface import Params
from .learner_series import mean_and_std
from .measure import measure

# Rates of SGD that are tried on validation, since a baseline with an untuned rate flatters the
# distilled data.
SGD_LRS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5)
# Rates of Adam that are tried on validation: its first step moves every weight by the rate.
ADAM_LRS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
_STAGE = "choosing the learning rate"
# A rate is given up that is so far behind another one at the same stage, from the third on, by
# which even a low one shows what it does.
_HOPELESS = 0.1
_FIRST_JUDGED = 2


class Choice(NamedTuple):
    """What was best on validation.

    Attributes:
        lr: the rate.
        stage: index of the theta among those that training with it passed through.
    """

    lr: float
    stage: int


def choose_lr(bench: Bench, lrs: Sequence[float], learner: Callable[[int, float], Params]) -> float:
    """The rate whose mean accuracy on validation over the init seeds is best; of equals the first.

    Args:
        bench: with the validation split.
        lrs: rates to try.
        learner: (init seed, rate) -> theta.

    Raises:
        Stopped: a stop was requested; finished rates are noted.
    """

    def only(seed: int, lr: float) -> Iterator[Params]:
        yield learner(seed, lr)

    return choose(bench, lrs, only, bench.task.init_seeds).lr


def choose(
    bench: Bench,
    lrs: Sequence[float],
    stages: Callable[[int, float], Iterable[Params]],
    seeds: Sequence[int],
) -> Choice:
    """The rate and the stage whose mean accuracy on validation is best; of equals the first.

    From the third stage on, a rate that is ten points behind an earlier one is given up.

    Args:
        bench: with the validation split.
        lrs: rates to try.
        stages: (init seed, rate) -> each theta on the way that is to be tried, always as many.
        seeds: init seeds to try them with.

    Raises:
        Stopped: a stop was requested; finished rates are noted.
    """
    task = bench.task
    notes, reporter = Notes(task, "rates", "chosen_lr.json"), task.reporter
    tried, total = 0, len(lrs) * len(seeds)
    means = _noted(notes.read() or {})
    for index, lr in enumerate(lrs):
        if str(lr) not in means:
            learners = [
                _accuracies(
                    bench,
                    stages(seed, lr),
                    functools.partial(reporter.progress, _STAGE, tried + number, total, {}),
                )
                for number, seed in enumerate(seeds, 1)
            ]
            means[str(lr)] = _until_hopeless(zip(*learners, strict=True), list(means.values()))
            notes.write(len(means), means)
        reporter.metric("validation_accuracy", index, max(means[str(lr)]))
        tried += len(seeds)
        reporter.progress(_STAGE, tried, total, {})
    choices = [Choice(lr, stage) for lr in lrs for stage in range(len(means[str(lr)]))]
    return max(choices, key=lambda choice: means[str(choice.lr)][choice.stage])


def _noted(means: dict[str, float | list[float]]) -> dict[str, list[float]]:
    """Noted means per rate; earlier versions noted the one of each, for the last stage alone."""
    return {lr: mean if isinstance(mean, list) else [mean] for lr, mean in means.items()}


def _until_hopeless(
    stages: Iterable[tuple[float, ...]], others: Sequence[Sequence[float]]
) -> list[float]:
    """Means over learners, stage by stage."""
    means: list[float] = []
    for stage, accuracies in enumerate(stages):
        means.append(mean_and_std(accuracies)[0])
        best = max((other[stage] for other in others if len(other) > stage), default=0.0)
        if stage >= _FIRST_JUDGED and means[stage] < best - _HOPELESS:
            break
    return means


def _accuracies(
    bench: Bench, stages: Iterable[Params], tell: Callable[[], None]
) -> Iterator[float]:
    """On validation, stage by stage; ``tell`` is called once the learner has a first one."""
    precision = bench.task.settings.precision
    for stage, theta in enumerate(stages):
        if bench.task.reporter.stop_requested():
            raise Stopped
        accuracy = measure(bench.learner, theta, bench.splits["validation"], precision).accuracy
        if stage == 0:
            tell()
        yield accuracy
