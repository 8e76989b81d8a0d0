"""The command of a worker in an engine."""

from pathlib import Path

from .engine import Order, Settings

_TAIL_BYTES = 4096
_TAIL_LINES = 20


def worker_command(settings: Settings, order: Order) -> list[str]:
    """Contains no secret: engines show commands to everybody."""
    command = [settings.python, "-P", "-m", "stillhouse_worker", "worker"]
    command += ["--connect", settings.workers, "--grpc", settings.grpc]
    command += ["--id", order.launch_id, "--device", order.device]
    command += ["--work-dir", settings.work_dir, "--leave-after", str(settings.leave_after_s)]
    if settings.keys is not None:
        command += ["--keys", settings.keys]
    return command


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
    return "\n".join(text.splitlines()[-_TAIL_LINES:])
