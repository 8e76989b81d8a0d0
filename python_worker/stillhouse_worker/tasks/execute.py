"""Run one task, whatever its kind."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from ..context.reporting import LearnerOutcome, Outcome, Reporter
from ..context.settings import Settings
from ..context.variation import Variation
from .distill import distill
from .evaluate import evaluate
from .evaluate_varied import evaluate_varied
from .full_training import full_baseline
from .real_samples import coreset_baseline, random_baseline
from .untrained import untrained_baseline

_BASELINES: dict[str, Callable[[Settings, Sequence[int], Reporter, Path], LearnerOutcome]] = {
    "full": full_baseline,
    "random": random_baseline,
    "untrained": untrained_baseline,
    "herding": functools.partial(coreset_baseline, "herding"),
    "kcenter": functools.partial(coreset_baseline, "kcenter"),
}
WORKS = ("distill", "evaluate", *_BASELINES)


def execute(
    work: str,
    settings: Settings,
    init_seeds: Sequence[int],
    artifact_path: str,
    work_dir: Path,
    reporter: Reporter,
    variation: Variation | None = None,
    scratch: Path | None = None,
) -> Outcome:
    """Run ``work``, one of `WORKS`, or what is left of it in ``work_dir``.

    Args:
        work: what to do.
        settings: of the experiment.
        init_seeds: of the test learners.
        artifact_path: for "evaluate".
        work_dir: the task's own folder, which all its attempts share.
        reporter: told how far it is.
        variation: for "evaluate", how learners are trained otherwise than the artifact says.
        scratch: the attempt's own folder; None for ``work_dir``.

    Raises:
        Stopped: a stop was requested and the checkpoint is written.
        StillhouseError: what a person can mend.
    """
    for folder in (work_dir, scratch or work_dir):
        folder.mkdir(parents=True, exist_ok=True)
    if work == "distill":
        return distill(settings, reporter, work_dir, scratch)
    if work == "evaluate":
        path = Path(artifact_path)
        if variation is None:
            return evaluate(settings, init_seeds, path, reporter, work_dir)
        return evaluate_varied(variation, settings, init_seeds, path, reporter, work_dir)
    return _BASELINES[work](settings, init_seeds, reporter, work_dir)
