"""Tests learners one after the other; finished ones survive an interruption."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from ..context.bench import Bench
from ..context.notes import Notes
from ..context.reporting import InitOutcome, Reporter, Stopped
from ..context.task_context import TaskContext
from ..learners.interface import Params
from .measure import Measures, measure


class Timed(NamedTuple):
    """A learner and the seconds that its training took."""

    params: Params
    seconds: float


def measure_learners(
    task: TaskContext, learner: Callable[[int], Timed], test: Callable[[Params], Measures]
) -> list[InitOutcome]:
    """Train and test one learner per init seed of the task; finished learners are noted.

    Args:
        task: whose init seeds they are.
        learner: init seed -> theta, timed.
        test: theta -> measures on the test split.

    Raises:
        Stopped: a stop was requested; finished learners are noted.
    """
    notes, seeds = Notes(task, "learners", "learners.json"), task.init_seeds
    done = {outcome.init_seed: outcome for outcome in _outcomes(notes.read() or [])}
    for seed in seeds:
        if seed not in done:
            if task.reporter.stop_requested():
                raise Stopped
            trained = learner(seed)
            done[seed] = InitOutcome(seed, *test(trained.params), trained.seconds)
            notes.write(len(done), [o._asdict() for o in done.values()])
        _report(task.reporter, [done[s] for s in seeds if s in done], len(seeds))
    return [done[seed] for seed in seeds]


def tested_learners(bench: Bench, learner: Callable[[int], Params]) -> list[InitOutcome]:
    """`measure_learners` on the test split of ``bench``, each learner timed."""
    return measure_learners(bench.task, timed(learner), tester(bench))


def timed(learner: Callable[[int], Params]) -> Callable[[int], Timed]:
    """The same learners with the time that each took."""

    def run(seed: int) -> Timed:
        started = time.perf_counter()
        params = learner(seed)
        if next(iter(params.values())).is_cuda:
            torch.cuda.synchronize()
        return Timed(params, time.perf_counter() - started)

    return run


def tester(bench: Bench) -> Callable[[Params], Measures]:
    """theta -> measures on the test split, stopping between batches when a stop is requested."""
    task = bench.task

    def stop_if_requested(done: int, total: int) -> None:
        if task.reporter.stop_requested():
            raise Stopped

    return lambda theta: measure(
        bench.learner, theta, bench.splits["test"], task.settings.precision, stop_if_requested
    )


def mean_and_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and population standard deviation."""
    mean = sum(values) / len(values)
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))


def _report(reporter: Reporter, outcomes: list[InitOutcome], total: int) -> None:
    mean, std = mean_and_std([o.accuracy for o in outcomes])
    reporter.metric("accuracy", len(outcomes), outcomes[-1].accuracy)
    values = {"accuracy_mean": mean, "accuracy_std": std}
    reporter.progress("evaluating", len(outcomes), total, values)


def _outcomes(entries: list[dict[str, Any]]) -> list[InitOutcome]:
    return [InitOutcome(**{**e, "confusion": tuple(e["confusion"])}) for e in entries]
