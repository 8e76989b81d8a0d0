"""EVALUATE: train test learners on distilled data and measure them on the test split."""

from collections.abc import Sequence
from pathlib import Path

from ..artifacts import load_artifact
from .learner_series import measure_learners, tester
from .opening import open_bench
from .reporting import LearnerOutcome, Reporter
from .settings import Settings


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
    outcomes = measure_learners(
        init_seeds,
        lambda seed: artifact.train(seed, device=settings.device, encoder=bench.encoder).params,
        tester(bench, "test", settings.precision, reporter),
        reporter,
        work_dir,
    )
    return LearnerOutcome(outcomes, len(artifact.data.x), len(artifact.data.lrs))
