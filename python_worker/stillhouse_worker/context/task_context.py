"""The inputs of one attempt at a task of any kind."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..distillation.team_seats import Seat
from .reporting import Reporter
from .settings import ReplayMethod, Settings
from .variation import Variation


class TaskContext(NamedTuple):
    """An attempt at a task.

    Attributes:
        settings: of the experiment.
        spec: the resolved spec as proto3 JSON with the proto's field names, for the manifest.
        init_seeds: of the test learners; empty for a distillation.
        reporter: told how far the task is.
        work_dir: the task's own folder, which all its attempts share.
        scratch: the attempt's own folder.
        artifact_path: folder of the artifact to evaluate; None where there is none.
        variation: how learners' training differs from what that artifact says; None: not at all.
        members: numbers of the learners of a pool that are to be pretrained; ``init_seeds`` then
            are those of the learners that are held out of it.
        pool: folders of the pretrained learners that this task's learners start from; empty: they
            start from their own draws.
        method: of continual learning: what learners remember of earlier tasks.
        memories: folders of the distilled memories of the tasks, in the order of the tasks; empty
            where the method has none.
        seat: in a team of several workers; None: this one has all of the task.
        task_id: noted with what is kept between attempts; empty where no control plane gave one.
    """

    settings: Settings
    spec: dict[str, Any]
    init_seeds: Sequence[int]
    reporter: Reporter
    work_dir: Path
    scratch: Path
    artifact_path: Path | None = None
    variation: Variation | None = None
    members: Sequence[int] = ()
    pool: Sequence[Path] = ()
    task_id: str = ""
    method: ReplayMethod = "naive"
    memories: Sequence[Path] = ()
    seat: Seat | None = None
