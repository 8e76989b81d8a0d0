"""The command of a worker in an engine."""

from pathlib import Path

from .engine import Order, Settings

_TAIL_BYTES = 4096
TAIL_LINES = 20


def worker_command(settings: Settings, order: Order) -> list[str]:
    """Contains no secret: engines show commands to everybody."""
    start = [settings.python, "-P", "-m", "stillhouse_worker", "worker"]
    return start + worker_arguments(settings, order)


def worker_arguments(settings: Settings, order: Order) -> list[str]:
    """What follows the command of a worker; contains no secret."""
    arguments = ["--connect", settings.workers, "--grpc", settings.grpc]
    arguments += ["--id", order.launch_id, "--device", order.device]
    arguments += ["--work-dir", settings.work_dir, "--leave-after", str(settings.leave_after_s)]
    if settings.keys is not None:
        arguments += ["--keys", settings.keys]
    return arguments


def log_path(settings: Settings, launch_id: str) -> Path:
    """The file that a launch prints to."""
    return Path(settings.logs) / f"{launch_id}.log"


def log_tail(path: Path) -> str:
    """Last lines of a log; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-TAIL_LINES:])
