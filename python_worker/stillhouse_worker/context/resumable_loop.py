"""A loop of steps that can be stopped at any step and resumed."""

import time
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from .reporting import Stopped
from .task_context import TaskContext
from .training_checkpoints import CheckpointTimes, TrainingCheckpoints


@runtime_checkable
class Steps(Protocol):
    """A computation whose state after each step is tensors, and facts as JSON."""

    @property
    def step(self) -> int:
        """Number of finished steps."""

    @property
    def num_steps(self) -> int:
        """Total number of steps."""

    def advance(self) -> None:
        """Do a step, and the work that is due after it."""

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that determines the following steps."""

    def restore(self, step: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Continue from what `state` returned after ``step`` steps."""


class ResumableLoop:
    """Does the steps of a task and keeps checkpoints.

    Args:
        task: whose stop ends the loop, and whose folder has the checkpoints.
        name: of a step, for a person.
        steps: what is computed.
    """

    def __init__(self, task: TaskContext, name: str, steps: Steps) -> None:
        self._reporter, self._name, self._steps = task.reporter, name, steps
        self._checkpoints = TrainingCheckpoints(task)
        # Time of all attempts, without interruptions.
        self.seconds = 0.0

    def newest_checkpoint(self) -> Path | None:
        """The file that `restore` continues from."""
        return self._checkpoints.newest()

    def restore(self, checkpoint: Path | None) -> None:
        """Continue from a file of `newest_checkpoint`; start again for None or a damaged one."""
        saved = self._checkpoints.read(checkpoint)
        if saved is None:
            return
        tensors, facts = saved
        self._steps.restore(facts["step"], tensors, facts)
        self.seconds = facts.get(
            "seconds", 0.0
        )  # absent from checkpoints that were written before it was counted
        self._reporter.log("info", f"resumed at {self._name} {facts['step']}")

    def run(self) -> None:
        """Do the remaining steps.

        Raises:
            Stopped: a stop was requested; the checkpoint is written.
        """
        times = CheckpointTimes()
        while self._steps.step < self._steps.num_steps:
            if self._reporter.stop_requested():
                self.save()
                raise Stopped
            started = time.monotonic()
            self._steps.advance()
            self.seconds += time.monotonic() - started
            times.save_if_due(self.save)

    def save(self) -> None:
        """Write a checkpoint."""
        tensors, facts = self._steps.state()
        step = self._steps.step
        self._checkpoints.write(step, tensors, {**facts, "step": step, "seconds": self.seconds})
