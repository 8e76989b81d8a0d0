"""Choose a learning rate on validation; what was tried survives an interruption."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ..context.bench import Bench
from ..context.notes import Notes
from ..context.reporting import Reporter, Stopped
from ..context.settings import Settings
from ..learners.encoder import Params
from .learner_series import mean_and_std
from .measure import measure

# Rates of SGD that are tried on validation, since a baseline with an untuned rate flatters the
# distilled data.
SGD_LRS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5)
# Rates of Adam that are tried on validation: its first step moves every weight by the rate.
ADAM_LRS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
_STAGE = "choosing the learning rate"


def choose_lr(
    lrs: Sequence[float],
    learner: Callable[[int, float], Params],
    init_seeds: Sequence[int],
    settings: Settings,
    bench: Bench,
    reporter: Reporter,
    work_dir: Path,
) -> float:
    """The rate whose mean accuracy on validation over the init seeds is best; of equals the first.

    Args:
        lrs: rates to try.
        learner: (init seed, rate) -> theta.
        init_seeds: seeds of the heads.
        settings: the precision to measure in.
        bench: with the validation split.
        reporter: told of each rate.
        work_dir: the task's own folder, where finished rates are noted.

    Raises:
        Stopped: a stop was requested; finished rates are noted.
    """
    notes, tried = Notes(work_dir, "rates", "chosen_lr.json", reporter), 0
    total = len(lrs) * len(init_seeds)
    means: dict[str, float] = notes.read() or {}
    for index, lr in enumerate(lrs):
        if str(lr) not in means:
            accuracies = []
            for seed in init_seeds:
                if reporter.stop_requested():
                    raise Stopped
                theta = learner(seed, lr)
                tokens = bench.tokens["validation"]
                accuracies.append(
                    measure(bench.encoder, theta, tokens, settings.precision).accuracy
                )
                reporter.progress(_STAGE, tried + len(accuracies), total, {})
            means[str(lr)] = mean_and_std(accuracies)[0]
            notes.write(len(means), means)
        reporter.metric("validation_accuracy", index, means[str(lr)])
        tried += len(init_seeds)
        reporter.progress(_STAGE, tried, total, {})
    return max(lrs, key=lambda lr: means[str(lr)])
