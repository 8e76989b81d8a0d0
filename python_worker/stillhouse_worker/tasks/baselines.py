"""BASELINE: the full data and the untrained learner, under the protocol of the distilled data."""

from collections.abc import Sequence
from pathlib import Path

from ..learners import learner_params
from ..learners.encoder import Params
from .full_training import train_full
from .heads import head_of_learner
from .learner_series import Timed, measure_learners, tested_learners, tester
from .opening import open_bench
from .reporting import LearnerOutcome, Reporter
from .settings import Settings


def full_baseline(
    settings: Settings, init_seeds: Sequence[int], reporter: Reporter, work_dir: Path
) -> LearnerOutcome:
    """A learner, embeddings included, trained on all of train; tested once."""
    bench = open_bench(settings, ("train", "validation", "test"))
    head = head_of_learner(settings, bench, init_seeds[0])
    trained = train_full(settings, bench, learner_params(bench.encoder, head), reporter, work_dir)
    bench = bench._replace(encoder=trained.encoder)
    outcomes = measure_learners(
        init_seeds[:1],
        lambda _: Timed(trained.params, trained.seconds),
        tester(bench, "test", settings.precision, reporter),
        reporter,
        work_dir,
    )
    return LearnerOutcome(outcomes, len(bench.tokens["train"].labels), trained.gd_steps)


def untrained_baseline(
    settings: Settings, init_seeds: Sequence[int], reporter: Reporter, work_dir: Path
) -> LearnerOutcome:
    """Learners before any training."""
    reporter.progress("loading", 0, len(init_seeds), {})
    bench = open_bench(settings, ("test",))

    def learner(seed: int) -> Params:
        return learner_params(bench.encoder, head_of_learner(settings, bench, seed))

    outcomes = tested_learners(init_seeds, learner, settings, bench, reporter, work_dir)
    return LearnerOutcome(outcomes, 0, 0)
