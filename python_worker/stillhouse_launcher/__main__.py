"""``python -m stillhouse_launcher``: JSON lines to and from a control plane, errors on stderr."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from .engine import Engine, Settings
from .lines import Lines


def main() -> int:
    """Serve until the other end is closed; returns the exit code.

    The lines go over the channel that Node opens for a child, or over stdin and stdout where a
    person starts the program.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the control plane's to handle
    channel = int(os.environ.pop("NODE_CHANNEL_FD", "-1"))
    reads, writes = (0, 1) if channel < 0 else (channel, os.dup(channel))
    # A control plane that was killed does not read the last answers.
    with contextlib.suppress(BrokenPipeError), open(writes, "w", closefd=writes != 1) as answers:
        engines = {"slurm": _slurm, "kubernetes": _kubernetes, "ray": _ray}
        Lines(engines, reads, answers).serve()
    return 0


def _slurm(settings: Settings) -> Engine:
    from .slurm import Slurm

    return Slurm(settings)


def _kubernetes(settings: Settings) -> Engine:
    with _installed("kubernetes"):
        from .kubernetes import Kubernetes
    return Kubernetes(settings)


def _ray(settings: Settings) -> Engine:
    with _installed("ray"):
        from .ray import Ray
    return Ray(settings)


@contextlib.contextmanager
def _installed(engine: str) -> Iterator[None]:
    """Raises ValueError with the command that installs what an engine needs."""
    try:
        yield
    except ModuleNotFoundError as error:
        lock = Path(__file__).with_name(f"{engine}.lock")
        raise ValueError(
            f"the launcher {engine} needs the package {error.name}, of the extra "
            f"stillhouse[{engine}]: {sys.executable} -m pip install --requirement {lock}"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
