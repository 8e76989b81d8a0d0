"""Steps that are made one after the other, stopped at any of them, and taken up again."""

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
        """Steps that have been made."""

    @property
    def num_steps(self) -> int:
        """Steps in all."""

    def advance(self) -> None:
        """Make a step, and what is due after it."""

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that determines what follows."""

    def restore(self, step: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Go on from what `state` gave when ``step`` steps had been made."""


class ResumableLoop:
    """Makes the steps of a task and keeps checkpoints of them.

    Args:
        task: whose stop ends the loop, and whose folder has the checkpoints.
        name: of a step, for a person.
        steps: what is computed.
    """

    def __init__(self, task: TaskContext, name: str, steps: Steps) -> None:
        self._reporter, self._name, self._steps = task.reporter, name, steps
        self._checkpoints = TrainingCheckpoints(task.work_dir, task.reporter)
        # Of all attempts, interruptions not counted.
        self.seconds = 0.0

    def newest_checkpoint(self) -> Path | None:
        """The file that `restore` goes on from."""
        return self._checkpoints.newest()

    def restore(self, checkpoint: Path | None) -> None:
        """Go on from a file of `newest_checkpoint`; None, or one that is damaged, starts anew."""
        saved = self._checkpoints.read(checkpoint)
        if saved is None:
            return
        tensors, facts = saved
        self._steps.restore(facts["step"], tensors, facts)
        self.seconds = facts.get("seconds", 0.0)  # not in checkpoints of before it was counted
        self._reporter.log("info", f"resumed at {self._name} {facts['step']}")

    def run(self) -> None:
        """Make the steps that are left.

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
