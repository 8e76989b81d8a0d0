"""The table in which distilled data stand beside their neighbours, a data set after the other.

For each data set `npm run experiment` distils several times and computes every baseline. It keeps
what it has computed: after Ctrl-C or a failure the same command continues with what is missing.
"""

import argparse
import json
import shlex
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ._experiments import INTERRUPTED, Ended, add_common, parse, run_experiment
from ._reports import source_facts, source_text, write_whole
from ._shared import note

DATASETS = "ag_news,sst2,mrpc,sst5"
HEAD = (
    "data",
    "accuracy %",
    "± between learners",
    "± between distillations",
    "% of full data",
    "stored",
    "seconds of training",
    "energy",
)
SOME_FAILED = 1


class Neighbour(NamedTuple):
    """A row of the table; None is what was not measured.

    Attributes:
        accuracy: a fraction, the mean over all learners of all distillations.
        between_learners: population standard deviation over all of them.
        between_distillations: that of the means of the distillations; None below two.
        of_full: accuracy as a fraction of that of full data.
        stored_bytes: what a learner needs beside the encoder.
        train_time_s: of one learner; distilling is not in it.
        joules: of the tasks of the row.
    """

    id: str
    label: str
    accuracy: float
    between_learners: float | None
    between_distillations: float | None
    of_full: float | None
    stored_bytes: float | None
    train_time_s: float | None
    joules: float | None


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run one experiment per data set, print; the exit code."""
    args, common = parse(_arguments(), argv)
    flags = ["--model", args.model, "--data-dir", args.data_dir, "--sl", "unrestricted"]
    flags += ["--al", "cls", "--baselines", "all", "--distillations", str(args.distillations)]
    flags += common
    report: dict[str, Any] = {**source_facts(), "flags": flags, "sets": {}}
    for name in args.datasets.split(","):
        note(f"{name}:")
        ended = run_experiment(["--dataset", name, *flags])
        report["sets"][name] = entry = _entry(ended)
        if entry["failure"] is not None:
            note(f"{name}: {entry['failure']}")
        if args.out:
            write_whole(args.out, json.dumps(report, indent=2) + "\n")
        if not args.json and entry["rows"]:
            print(f"{_section(name, report)}\n", flush=True)
        if ended.is_stopped:
            break
    if args.json:
        print(json.dumps(report, indent=2))
    return INTERRUPTED if ended.is_stopped else _exit_code(report)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="npm run bench -- neighbours", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--data-dir", required=True, metavar="FOLDER", help="of local data sets")
    parser.add_argument("--datasets", default=DATASETS, help=f"in it (default: {DATASETS})")
    parser.add_argument("--model", default="minilm", help="name or folder (default: minilm)")
    parser.add_argument(
        "--distillations", type=int, default=3, metavar="N", help="per data set (default: 3)"
    )
    add_common(parser)
    parser.add_argument(
        "--json", action="store_true", help="one JSON document on stdout, in place of tables"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="for that document, written after every data set"
    )
    return parser


def _entry(ended: Ended) -> dict[str, Any]:
    """What is known of a data set: its rows, what failed, and the command's own document."""
    document = ended.document or {}
    return {
        "rows": [row._asdict() for row in rows_of(document)],
        "failure": _failure(ended),
        "document": document,
    }


def _failure(ended: Ended) -> str | None:
    document = ended.document or {}
    if ended.is_stopped:
        return "stopped; the same command continues"
    if ended.exit_code == 0:
        return None
    if "error" in document:
        return str(document["error"]["message"])
    missing = [str(each["seed"]) for each in document.get("distillations", []) if "error" in each]
    return f"no result of seed {', '.join(missing)}" if missing else f"exit code {ended.exit_code}"


def _exit_code(report: dict[str, Any]) -> int:
    failed = [name for name, entry in report["sets"].items() if entry["failure"] is not None]
    if failed:
        note(f"not complete: {', '.join(failed)}; the same command computes only what is missing")
    return SOME_FAILED if failed else 0


def rows_of(document: dict[str, Any]) -> list[Neighbour]:
    """The rows of a document of `npm run experiment`, with one distillation or several."""
    members = [each for each in document.get("distillations", [document]) if "rows" in each]
    several = document.get("over_seeds") or [
        {"id": row["id"], "label": row["label"], "learners": row["accuracy"], "distillations": {}}
        for member in members
        for row in member["rows"]
    ]
    full = next((each["learners"]["mean"] for each in several if each["id"] == "full"), None)
    return [
        _row(each, full, [row for m in members for row in m["rows"] if row["id"] == each["id"]])
        for each in several
    ]


def _row(spreads: dict[str, Any], full: float | None, rows: list[dict[str, Any]]) -> Neighbour:
    accuracy = spreads["learners"]["mean"]
    return Neighbour(
        id=spreads["id"],
        label=spreads["label"],
        accuracy=accuracy,
        between_learners=spreads["learners"]["std"],
        between_distillations=spreads["distillations"].get("std"),
        of_full=accuracy / full if full else None,
        stored_bytes=_mean(row["stored_bytes"] for row in rows),
        train_time_s=_mean(row["train_time_s"] for row in rows),
        joules=_mean(row["joules"] for row in rows),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None


def _section(name: str, report: dict[str, Any]) -> str:
    """The table of a data set, and what it was measured with."""
    entry = report["sets"][name]
    spec = entry["document"]["spec"]
    lines = [
        f"## {name}",
        "",
        f"{source_text(report)}, model {spec['model']['name']}, preset "
        f"{spec['preset'].removeprefix('PRESET_').lower()}, but `{shlex.join(report['flags'])}`",
        "",
        *_table([Neighbour(**row) for row in entry["rows"]]),
        "",
        _computing(entry["document"]),
    ]
    if entry["failure"] is not None:
        lines.append(f"Not complete: {entry['failure']}.")
    return "\n".join(lines)


def _table(rows: list[Neighbour]) -> list[str]:
    has_energy = any(row.joules is not None for row in rows)
    shown = len(HEAD) if has_energy else len(HEAD) - 1
    lines = [HEAD, ("---", *["---:"] * (len(HEAD) - 1)), *(_cells(row) for row in rows)]
    return [f"| {' | '.join(line[:shown])} |" for line in lines]


def _cells(row: Neighbour) -> tuple[str, ...]:
    return (
        row.label,
        f"{100 * row.accuracy:.1f}",
        _spread(row.between_learners),
        _spread(row.between_distillations),
        "" if row.of_full is None else f"{100 * row.of_full:.1f}",
        _amount(row.stored_bytes, ["B", "kB", "MB", "GB"]),
        "" if row.train_time_s is None else f"{row.train_time_s:,.1f}",
        _amount(row.joules, ["J", "kJ", "MJ"]),
    )


def _spread(std: float | None) -> str:
    return "" if std is None else f"± {100 * std:.1f}"


def _amount(value: float | None, units: list[str]) -> str:
    if value is None:
        return ""
    power = 0
    while value >= 1000 and power < len(units) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.1f} {units[power]}" if power else f"{value:.0f} {units[0]}"


def _computing(document: dict[str, Any]) -> str:
    """Seconds of each kind of task when it was computed; the mean over the distillations."""
    members = [each for each in document.get("distillations", [document]) if "tasks" in each]
    tasks = [task for member in members for task in member["tasks"]]
    told = []
    for name in dict.fromkeys(task["name"] for task in tasks):
        own = [task for task in tasks if task["name"] == name]
        wall = sum(task["wall_time_s"] or 0 for task in own) / len(members)
        cpu = sum(task.get("cpu_time_s") or 0 for task in own) / len(members)
        told.append(f"{name} {wall:,.0f} ({cpu:,.0f})")
    return f"Seconds per distillation, and processor time: {', '.join(told)}."


if __name__ == "__main__":
    sys.exit(main())
