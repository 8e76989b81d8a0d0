"""The two files: everything as JSON, and one Markdown table. Imports no PyTorch."""

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._reports import source_text, write_whole
from .part import Options
from .runner import PartReport

COLUMNS = ("part", "case", "result", "verdict")


def write_reports(
    folder: Path,
    reports: Sequence[PartReport],
    source: dict[str, Any],
    options: Options,
    started: float,
) -> None:
    """Write ``gpu.json`` and ``gpu.md``."""
    machine = next((report.machine for report in reports if report.machine), {})
    document = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": time.time() - started,
        **source,
        "machine": machine,
        "options": {**options._asdict(), "deadline": options.deadline - started},
        "parts": [_entry(report) for report in reports],
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "gpu.json", json.dumps(document, indent=2) + "\n")
    write_whole(folder / "gpu.md", f"{_heading(document)}\n\n{_table(reports)}\n")


def _entry(report: PartReport) -> dict[str, Any]:
    return {**dataclasses.asdict(report), "rows": [row._asdict() for row in report.rows]}


def _heading(document: dict[str, Any]) -> str:
    machine = document["machine"]
    facts = [machine.get("chip", "unknown device")]
    if driver := machine.get("driver"):
        facts.append(f"driver {driver}")
    facts += [f"PyTorch {machine.get('torch', 'unknown')}", document["date"]]
    facts.append(source_text(document))
    return ", ".join(facts)


def _table(reports: Sequence[PartReport]) -> str:
    lines = [COLUMNS, ("---",) * len(COLUMNS)]
    for report in reports:
        lines += [(report.name, row.case, row.result, row.verdict) for row in report.rows]
        if report.status != "done":
            lines.append((report.name, "", report.error, report.status))
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def exit_code_of(reports: Sequence[PartReport]) -> int:
    """0 where every part ran, or had nothing to run on, and no row failed."""
    ended = all(report.status in ("done", "skipped") for report in reports)
    holds = all(row.verdict != "failed" for report in reports for row in report.rows)
    return 0 if ended and holds else 1
