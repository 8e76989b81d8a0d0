"""What a task reports while it runs, and its outcome."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import torch

from .. import __version__

# The stage of a task that opens its data set and model.
LOADING = "loading"


class Stopped(Exception):
    """The task was asked to stop and has written its checkpoint."""


@runtime_checkable
class Reporter(Protocol):
    """Where a task reports to; calls are cheap and may come at every step."""

    def progress(self, stage: str, done: int, total: int, values: Mapping[str, float]) -> None:
        """The progress of the task. Shown live, not stored."""

    def metric(self, name: str, step: int, value: float) -> None:
        """A point of a series that is stored."""

    def log(self, level: str, message: str) -> None:
        """A line for a person; level is debug, info, warning or error."""

    def checkpoint(self) -> None:
        """A checkpoint is about to be written: what was reported before must not be lost after."""

    def stop_requested(self) -> bool:
        """Whether the task should write a checkpoint and raise `Stopped`."""


class Silent:
    """A reporter for a member of a team, for which the leader reports."""

    def progress(self, stage: str, done: int, total: int, values: Mapping[str, float]) -> None:
        """Nothing."""

    def metric(self, name: str, step: int, value: float) -> None:
        """Nothing."""

    def log(self, level: str, message: str) -> None:
        """Nothing."""

    def checkpoint(self) -> None:
        """Nothing."""

    def stop_requested(self) -> bool:
        """Never: the leader decides."""
        return False


class InitOutcome(NamedTuple):
    """One learner on the test split.

    Attributes:
        confusion: see `Measures`.
        train_time_s: seconds from the opened training data to the trained learner.
    """

    init_seed: int
    accuracy: float
    loss: float
    macro_f1: float
    confusion: tuple[int, ...]
    train_time_s: float


class LearnerOutcome(NamedTuple):
    """Learners on the test split.

    Attributes:
        inits: one entry per learner.
        train_samples: rows that each was trained on.
        gd_steps: gradient steps that each made.
        chosen_lr: learning rate chosen on validation; 0 where none was searched.
        stored_bytes: what has to be stored for one of them: its training data, or its weights where
            nothing of an encoder is trained.
    """

    inits: list[InitOutcome]
    train_samples: int
    gd_steps: int
    chosen_lr: float = 0.0
    stored_bytes: int = 0


class DistillOutcome(NamedTuple):
    """Distilled data.

    Attributes:
        folder: the artifact.
        kept_step: outer step whose distilled data was kept.
        validation_accuracy: its accuracy on validation; None when nothing was selected by it.
        outer_steps: outer steps made in all.
        steps_per_second: over the whole run, interruptions not counted.
    """

    folder: Path
    kept_step: int
    validation_accuracy: float | None
    outer_steps: int
    steps_per_second: float


class TeamOutcome(NamedTuple):
    """The end of a worker's part in a team, whose leader has the outcome.

    Attributes:
        rank: number of the worker in the team, >= 1.
    """

    rank: int


class PoolOutcome(NamedTuple):
    """Pretrained learners.

    Attributes:
        folder: their weights.
        accuracies: of each on validation, 0 to 1.
    """

    folder: Path
    accuracies: list[float]


class ReplayRun(NamedTuple):
    """A learner in continual learning.

    Attributes:
        after: after each task the accuracy on each task that it has met, 0 to 1.
        train_time_s: seconds that its training took.
    """

    init_seed: int
    after: list[list[float]]
    train_time_s: float


class ReplayOutcome(NamedTuple):
    """Learners in continual learning.

    Attributes:
        memory_samples: that each remembers when it meets the last task.
        memory_bytes: of these.
        gd_steps: of each, over all tasks.
    """

    runs: list[ReplayRun]
    memory_samples: int
    memory_bytes: int
    gd_steps: int


Outcome = LearnerOutcome | DistillOutcome | PoolOutcome | ReplayOutcome | TeamOutcome


def environment(device: str) -> dict[str, str]:
    """The facts that the numbers of a run depend on beside its spec."""
    name = (
        torch.cuda.get_device_name(device)
        if device.startswith("cuda")
        else platform.processor() or platform.machine()
    )
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": importlib.metadata.version("transformers"),
        "stillhouse_worker": __version__,
        "device": device,
        "device_name": name,
        "threads": str(torch.get_num_threads()),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cpus": str(os.cpu_count()),
    }
