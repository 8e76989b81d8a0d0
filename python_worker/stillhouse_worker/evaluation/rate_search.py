"""Chooses a learning rate on validation; finished rates survive an interruption."""

from collections.abc import Callable, Sequence

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


def choose_lr(bench: Bench, lrs: Sequence[float], learner: Callable[[int, float], Params]) -> float:
    """The rate whose mean accuracy on validation over the init seeds is best; of equals the first.

    Args:
        bench: with the validation split.
        lrs: rates to try.
        learner: (init seed, rate) -> theta.

    Raises:
        Stopped: a stop was requested; finished rates are noted.
    """
    task = bench.task
    notes, reporter, seeds = Notes(task, "rates", "chosen_lr.json"), task.reporter, task.init_seeds
    tried, total = 0, len(lrs) * len(seeds)
    means: dict[str, float] = notes.read() or {}
    for index, lr in enumerate(lrs):
        if str(lr) not in means:
            accuracies = []
            for seed in seeds:
                if reporter.stop_requested():
                    raise Stopped
                accuracies.append(_accuracy(bench, learner(seed, lr)))
                reporter.progress(_STAGE, tried + len(accuracies), total, {})
            means[str(lr)] = mean_and_std(accuracies)[0]
            notes.write(len(means), means)
        reporter.metric("validation_accuracy", index, means[str(lr)])
        tried += len(seeds)
        reporter.progress(_STAGE, tried, total, {})
    return max(lrs, key=lambda lr: means[str(lr)])


def _accuracy(bench: Bench, theta: Params) -> float:
    precision = bench.task.settings.precision
    return measure(bench.encoder, theta, bench.tokens["validation"], precision).accuracy
