"""Chooses a learning rate on validation; finished rates survive an interruption."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ..context.bench import Bench
from ..context.notes import Notes
from ..context.reporting import Stopped
from ..learners.encoder import Params
from .learner_series import mean_and_std
from .measure import measure

# Rates of SGD that are tried on validation, since a baseline with an untuned rate flatters the
# distilled data.
SGD_LRS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5)
# Rates of Adam that are tried on validation: its first step moves every weight by the rate.
ADAM_LRS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
_STAGE = "choosing the learning rate"


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
    return choose(bench, lrs, lambda seed, lr: [learner(seed, lr)], bench.task.init_seeds).lr


def choose(
    bench: Bench,
    lrs: Sequence[float],
    stages: Callable[[int, float], Iterable[Params]],
    seeds: Sequence[int],
) -> Choice:
    """The rate and the stage whose mean accuracy on validation is best; of equals the first.

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
            accuracies = []
            for seed in seeds:
                accuracies.append(_accuracies(bench, stages(seed, lr)))
                reporter.progress(_STAGE, tried + len(accuracies), total, {})
            means[str(lr)] = [mean_and_std(same)[0] for same in zip(*accuracies, strict=True)]
            notes.write(len(means), means)
        reporter.metric("validation_accuracy", index, max(means[str(lr)]))
        tried += len(seeds)
        reporter.progress(_STAGE, tried, total, {})
    choices = [Choice(lr, stage) for lr in lrs for stage in range(len(means[str(lr)]))]
    return max(choices, key=lambda choice: means[str(choice.lr)][choice.stage])


def _noted(means: dict[str, float | list[float]]) -> dict[str, list[float]]:
    """Noted means per rate; earlier versions noted the one of each, for the last stage alone."""
    return {lr: mean if isinstance(mean, list) else [mean] for lr, mean in means.items()}


def _accuracies(bench: Bench, stages: Iterable[Params]) -> list[float]:
    accuracies = []
    for theta in stages:
        if bench.task.reporter.stop_requested():
            raise Stopped
        accuracies.append(_accuracy(bench, theta))
    return accuracies


def _accuracy(bench: Bench, theta: Params) -> float:
    precision = bench.task.settings.precision
    return measure(bench.encoder, theta, bench.tokens["validation"], precision).accuracy
