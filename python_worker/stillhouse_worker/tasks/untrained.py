"""BASELINE: learners before any training."""

from collections.abc import Sequence
from pathlib import Path

from ..context.bench import open_bench
from ..context.reporting import LearnerOutcome, Reporter
from ..context.settings import Settings
from ..evaluation.heads import head_of_learner
from ..evaluation.learner_series import tested_learners
from ..learners import learner_params
from ..learners.encoder import Params


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
