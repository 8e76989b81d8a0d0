"""Run one task, whatever its kind."""

from collections.abc import Callable, Sequence
from pathlib import Path

from .baselines import full_baseline, random_baseline, untrained_baseline
from .distill import distill
from .evaluate import evaluate
from .event_files import with_event_files
from .reporting import LearnerOutcome, Outcome, Reporter
from .settings import Settings

_BASELINES: dict[str, Callable[[Settings, Sequence[int], Reporter, Path], LearnerOutcome]] = {
    "full": full_baseline,
    "random": random_baseline,
    "untrained": untrained_baseline,
}
WORKS = ("distill", "evaluate", *_BASELINES)


def execute(
    work: str,
    settings: Settings,
    init_seeds: Sequence[int],
    artifact_path: str,
    work_dir: Path,
    reporter: Reporter,
) -> Outcome:
    """Run ``work``, one of `WORKS`, or what is left of it in ``work_dir``.

    Raises:
        Stopped: a stop was requested and the checkpoint is written.
        StillhouseError: what a person can mend.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    with with_event_files(reporter, work_dir.name) as reporter:
        if work == "distill":
            return distill(settings, reporter, work_dir)
        if work == "evaluate":
            return evaluate(settings, init_seeds, Path(artifact_path), reporter, work_dir)
        return _BASELINES[work](settings, init_seeds, reporter, work_dir)
