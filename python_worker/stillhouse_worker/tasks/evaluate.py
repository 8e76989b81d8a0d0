"""EVALUATE: train test learners on distilled data and measure them on the test split."""

from collections.abc import Sequence
from pathlib import Path

from ..artifacts import load_artifact
from ..context.bench import open_bench
from ..context.reporting import LearnerOutcome, Reporter
from ..context.settings import Settings
from ..evaluation.learner_series import tested_learners
from ..learners.encoder import Params


def evaluate(
    settings: Settings,
    init_seeds: Sequence[int],
    artifact_path: Path,
    reporter: Reporter,
    work_dir: Path,
) -> LearnerOutcome:
    """One learner an init seed, trained on the artifact at ``artifact_path``."""
    reporter.progress("loading", 0, len(init_seeds), {})
    bench, artifact = open_bench(settings, ("test",)), load_artifact(artifact_path)

    def learner(seed: int) -> Params:
        return artifact.train(seed, device=settings.device, encoder=bench.encoder).params

    outcomes = tested_learners(init_seeds, learner, settings, bench, reporter, work_dir)
    return LearnerOutcome(outcomes, len(artifact.data.x), len(artifact.data.lrs))
