"""Runs each part in a process of its own, within its share of the time. Imports no PyTorch."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from .part import Options, Row
from .parts import PARTS, Part

# Of `python_worker`, where a process finds the worker's package without an installation.
ROOT = Path(__file__).parents[2]
# A part is asked to begin nothing more after this share of its time, and ended after all of it.
ASKED = 0.85
LAST_LINES = 20
_POLL_S = 0.1

Status = Literal["done", "skipped", "failed", "over its time", "interrupted", "not run"]


@dataclasses.dataclass
class PartReport:
    """What became of a part.

    Attributes:
        name: of the part.
        status: how it ended; rows of a part that is "done" may have failed.
        seconds, limit_s: that it took and was allowed.
        error: why it did not end well; empty where it did.
        last_lines: of what it wrote, where it did not end well.
        machine: what it ran on, by itself.
        rows: as far as it came.
    """

    name: str
    status: Status
    seconds: float = 0.0
    limit_s: float = 0.0
    error: str = ""
    last_lines: list[str] = dataclasses.field(default_factory=list)
    machine: dict[str, Any] = dataclasses.field(default_factory=dict)
    rows: list[Row] = dataclasses.field(default_factory=list)


def run_parts(
    names: Sequence[str],
    options: Options,
    stop: threading.Event,
    note: Callable[[str], None],
    parts: Mapping[str, Part] = PARTS,
) -> Iterator[PartReport]:
    """Run one after the other; what one does not use, the later ones share.

    Args:
        names: of the parts, in their order.
        options: their deadline is that of all together.
        stop: ends the part that runs, and none begins after it.
        note: takes lines of progress.
        parts: what the names mean.
    """
    why = {name: parts[name].why_skipped(options) for name in names}
    waiting = [name for name in names if not why[name]]
    for number, name in enumerate(names, 1):
        title = f"[{number}/{len(names)}] {name}"
        if why[name]:
            note(f"{title}: {why[name]}")
            yield PartReport(name, "skipped", error=why[name])
            continue
        limit_s = _share(name, waiting, options.seconds_left(), parts)
        waiting.remove(name)
        if stop.is_set() or limit_s <= 0:
            said = "interrupted before it" if stop.is_set() else "no time was left"
            yield PartReport(name, "not run", error=said)
            continue
        note(f"{title}: {parts[name].about}, at most {limit_s:.0f} s")
        report = run_part(name, options, limit_s, stop, note)
        note(f"  {report.status} after {report.seconds:.0f} s {report.error}".rstrip())
        yield report


def _share(
    name: str, waiting: Sequence[str], seconds_left: float, parts: Mapping[str, Part]
) -> float:
    return seconds_left * parts[name].weight / sum(parts[other].weight for other in waiting)


def run_part(
    name: str,
    options: Options,
    limit_s: float,
    stop: threading.Event,
    note: Callable[[str], None] = lambda line: None,
) -> PartReport:
    """Run one in a process that is ended, with all that it started, after ``limit_s``."""
    started = time.monotonic()
    asked = options._replace(deadline=time.time() + ASKED * limit_s)
    report = PartReport(name, "done", limit_s=limit_s)
    with tempfile.TemporaryDirectory(prefix="stillhouse-bench-") as folder:
        rows, log = Path(folder) / "rows", Path(folder) / "log"
        rows.touch()
        with log.open("wb") as output:
            command = [sys.executable, "-m", f"{__package__}.child", name, str(rows)]
            child = subprocess.Popen(
                [*command, json.dumps(asked._asdict())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that Ctrl-C reaches this process alone
            )
        try:
            while child.poll() is None and report.status == "done":
                if stop.wait(_POLL_S):
                    report.status = "interrupted"
                elif time.monotonic() - started > limit_s:
                    report.status = "over its time"
                _read(rows, report, note)
        finally:
            _end(child)
        _read(rows, report, note)
        _judge(report, child.returncode, log)
    report.seconds = time.monotonic() - started
    return report


def _read(path: Path, report: PartReport, note: Callable[[str], None]) -> None:
    """Take in the lines that are whole and were not read before."""
    lines = path.read_text("utf-8").split("\n")[:-1]
    for line in lines[len(report.rows) + bool(report.machine) :]:
        entry = json.loads(line)
        if "machine" in entry:
            report.machine = entry["machine"]
            continue
        row = Row(**entry["row"])
        report.rows.append(row)
        note(f"  {row.case}: {row.result} ({row.verdict})")


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill it and what it started, which is in its process group, unless it has ended by itself."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _judge(report: PartReport, exit_code: int, log: Path) -> None:
    if report.status == "done" and exit_code == 0:
        return
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    report.last_lines = lines[-LAST_LINES:]
    if report.status == "done":
        report.status = "failed"
        by_itself = lines and exit_code > 0
        report.error = lines[-1] if by_itself else f"ended with exit code {exit_code}"
    elif report.status == "over its time":
        report.error = f"ended after {report.limit_s:.0f} s"
