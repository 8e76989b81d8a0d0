"""What an engine is asked for and what it says, in the words of the control plane."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class Refused(Exception):
    """The engine does not take the order; nothing was started."""


class Unknown(Exception):
    """The engine did not answer in time: whether something was started, its list will show."""


class Settings(NamedTuple):
    """What is the same for all workers of a pool."""

    # Beginning of the names of all launches of this control plane in this pool.
    prefix: str
    # The worker's Python and its arguments up to and without the order's own, as `seat` adds them.
    python: str
    # Where workers connect, tcp://HOST:PORT, and hand in artifacts, HOST:PORT.
    workers: str
    grpc: str
    # Folder of keys; None where none are needed.
    keys: str | None
    # Folder for checkpoints where the control plane's own is not seen.
    work_dir: str
    # Folder of the logs, one per launch.
    logs: str
    # A worker without a task that hears nothing from the control plane for this long ends.
    leave_after_s: int
    # What the engine itself is told, by names that it knows.
    options: Mapping[str, str]


class Order(NamedTuple):
    """A worker to start.

    Attributes:
        launch_id: the engine's name for it and the worker's id; of letters, digits and "-".
        device: "cpu" or "cuda".
        num_devices: CUDA devices that it sees.
        memory_bytes: for a task on a CPU; 0 for what the engine gives by itself.
    """

    launch_id: str
    device: str
    num_devices: int
    memory_bytes: int


class Status(NamedTuple):
    """One launch, as the engine shows it.

    Attributes:
        phase: "pending", "running" or "ended".
        reason: why it waits, or how it ended.
        node: the machine; empty where it is not known.
        log_tail: last lines of what an ended one printed.
    """

    launch_id: str
    phase: str
    reason: str = ""
    node: str = ""
    log_tail: str = ""


class Engine(Protocol):
    """Where workers are started. A call takes seconds at most."""

    # How often the engine is asked what has changed, in seconds.
    poll_s: float
    # A file that can be read when something has changed; None where the engine does not say.
    changes: int | None

    def launch(self, order: Order) -> None:
        """Asked for the same id again, it starts nothing more. Raises Refused or Unknown."""

    def live(self) -> Sequence[Status]:
        """All launches with the prefix that have not ended. Raises Unknown."""

    def end_of(self, launch_id: str) -> Status:
        """How one that is not listed any more has ended."""

    def stop(self, launch_id: str) -> None:
        """Asks it to end in order; takes a waiting one out of the queue. Raises Unknown."""

    def kill(self, launch_id: str) -> None:
        """Ends it at once. Raises Unknown."""


def settings_of(message: Mapping[str, Any]) -> Settings:
    """The settings in a message. Raises TypeError for a message with others."""
    return Settings(**message)
