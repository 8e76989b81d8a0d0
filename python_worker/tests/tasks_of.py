"""Makes and executes tasks for tests."""

from pathlib import Path

from stillhouse_worker.context.reporting import Outcome, Reporter
from stillhouse_worker.context.settings import Settings
from stillhouse_worker.context.task_context import TaskContext
from stillhouse_worker.tasks.execute import execute


def task_of(settings: Settings, reporter: Reporter, folder: Path, **given) -> TaskContext:
    """An attempt at a task in ``folder``; ``given`` are further fields."""
    own = {"spec": {"seed": settings.seed}, "init_seeds": [], "scratch": folder, **given}
    return TaskContext(settings=settings, reporter=reporter, work_dir=folder, **own)


def run(work: str, settings, seeds, artifact, folder: Path, reporter, variation=None) -> Outcome:
    """Execute a task; ``artifact`` is the artifact's folder or empty."""
    given = {"init_seeds": seeds, "artifact_path": Path(artifact), "variation": variation}
    return execute(work, task_of(settings, reporter, folder, **given))
