"""Time and memory of the meta-gradient, against plain first-order training and the oracle.

The bound B is what training alone costs: T plain forward and backward passes on the distilled
batch and one on the outer batch, eager, with the kernels and the precision of the methods. Methods
and bound take turns in one process, and each ratio is the median over the turns. Peak memory is
measured in a process of its own for each, above what it held before. A case that takes too long
for turns is timed once, in those processes.
"""

import argparse
import functools
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from stillhouse_worker.distillation.meta_gradient import METHODS
from stillhouse_worker.learners.precision import PRECISIONS
from stillhouse_worker.models.catalog import model_folder
from stillhouse_worker.models.opened import load_encoder

from ._meta_problem import BOUND, COMPILED, Case, Setting, setting_of, theta_bytes, work_of
from ._shared import free_bytes, live_peak_bytes, note, peak_bytes, seconds_of, take_turns

COLUMNS = (
    *("method", "T", "S", "attention labels", "precision", "time / B", "time / unrolled"),
    *("peak MB", "of that tensors", "first-order peak MB", "turns"),
)
PLOT = Path(__file__).parents[2] / "dist" / "bench" / "meta_gradient.svg"
# Unrolled steps that are predicted to need more than this share of the free memory are not run.
USABLE_MEMORY = 0.7


class Run(NamedTuple):
    """One run in a process of its own: time in s, and peak memory in bytes."""

    seconds: float
    peak_bytes: int
    live_peak_bytes: int | None  # of tensors, where --live-peaks asks for it


def main() -> None:
    """Parse, measure, print."""
    args = _arguments()
    if args.child:
        *case, name, is_live = json.loads(args.child)
        print(json.dumps(_run_here(Case(*case), name, is_live)))
        return
    methods = [*args.method, *(["blockwise" + COMPILED] if args.compile else [])]
    rows: list[dict[str, Any]] = []
    memory = ([args.trajectory_memory], [args.activation_memory])
    kinds = itertools.product(args.T, args.S, args.al, args.precision, *memory)
    cases = [Case(*values) for values in kinds]
    for number, case in enumerate(cases, 1):
        note(f"[{number}/{len(cases)}] {' '.join(f'{k}={v}' for k, v in case._asdict().items())}")
        for row in _rows(case, methods, args):
            note(f"  {_cells(row)}")
            rows.append(row)
    print(json.dumps({"rows": rows}) if args.json else _table(rows))
    _plot(rows, args.plot)
    note(f"plot: {args.plot}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="npm run bench -- meta-gradient", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--T", type=int, nargs="+", default=[1, 3, 10, 50], help="inner steps")
    parser.add_argument("--S", type=int, nargs="+", default=[64, 512], help="distilled length")
    parser.add_argument("--al", nargs="+", default=["none", "cls"], choices=["none", "cls", "all"])
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=PRECISIONS)
    parser.add_argument("--method", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--compile", action="store_true", help="compiled blocks too; needs g++")
    parser.add_argument(
        "--trajectory-memory",
        type=int,
        default=2048,
        help="MiB for copies of theta, as in `experiment` (default: 2048)",
    )
    parser.add_argument(
        "--activation-memory",
        type=int,
        default=176,
        help="MiB for values of inner steps, as in the preset cpu (default: 176)",
    )
    parser.add_argument("--repetitions", type=int, default=5, help="turns (default: 5)")
    parser.add_argument(
        "--minutes",
        type=float,
        default=5,
        help="time for the turns of a case, which are fewer if they take longer (default: 5)",
    )
    parser.add_argument(
        "--live-peaks",
        action="store_true",
        help="also the peak of tensors, in one more run of each",
    )
    parser.add_argument("--quick", action="store_true", help="S 64, T 1, 3 and 10, al cls")
    parser.add_argument(
        "--plot", type=Path, default=PLOT, help=f".svg, .png or .pdf (default: {PLOT})"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.quick:
        args.T, args.S, args.al = [1, 3, 10], [64], ["cls"]
    return args


def _setting(case: Case) -> Setting:
    return setting_of(case, load_encoder(model_folder("minilm")))


def _rows(case: Case, methods: list[str], args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    alone = {name: _fitting_run(case, name, args.live_peaks) for name in methods}
    bound = _run(case, BOUND)
    fitting = {BOUND: bound, **{name: run for name, run in alone.items() if run is not None}}
    turn = sum(run.seconds for run in fitting.values())
    turns = int(60 * args.minutes / turn) - 1  # one is for warm-up
    setting = _setting(case)
    works = {name: work_of(setting, name) for name in fitting}
    compile_seconds = {name: seconds_of(works[name]) for name in works if name.endswith(COMPILED)}
    times = (
        take_turns(works, min(turns, args.repetitions))
        if turns > 0
        else {name: [run.seconds] for name, run in fitting.items()}
    )

    def ratio(name: str, to: str) -> float | None:
        if name not in times or to not in times:
            return None
        return statistics.median(a / b for a, b in zip(times[name], times[to], strict=True))

    for name, run in alone.items():
        yield {
            "method": name.removesuffix(COMPILED),
            **case._asdict(),
            "compiled": name.endswith(COMPILED),
            "time_over_bound": ratio(name, BOUND),
            "time_over_unrolled": ratio(name, "unrolled"),
            "turns": len(times[BOUND]),
            "peak_bytes": run and run.peak_bytes,
            "live_peak_bytes": run and run.live_peak_bytes,
            "first_order_peak_bytes": bound.peak_bytes,
            "theta_bytes": theta_bytes(setting),
            "compile_seconds": compile_seconds.get(name),
        }


def _fitting_run(case: Case, name: str, is_live: bool) -> Run | None:
    """The run, or None where the memory is predicted not to fit."""
    if name == "unrolled" and case.T > 3:  # its memory is linear in T
        one, three = (_run(case._replace(T=steps), name).peak_bytes for steps in (1, 3))
        predicted = one + (three - one) / 2 * (case.T - 1)
        if predicted > USABLE_MEMORY * free_bytes():
            return None
    return _run(case, name, is_live)


@functools.cache  # the prediction for each T needs the same two runs
def _run(case: Case, name: str, is_live: bool = False) -> Run:
    command = [
        sys.executable,
        "-P",
        "-m",
        __spec__.name,
        "--child",
        json.dumps([*case, name, is_live]),
    ]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Run(*json.loads(output))


def _run_here(case: Case, name: str, is_live: bool) -> Run:
    work = work_of(_setting(case), name)
    if name.endswith(COMPILED):
        work()  # the time and memory of the compiler itself do not count
    started = time.perf_counter()
    peak = peak_bytes(work)
    seconds = time.perf_counter() - started
    return Run(seconds, peak, live_peak_bytes(work) if is_live else None)


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [" | ".join(COLUMNS), " | ".join(["---"] * 5 + ["---:"] * 6), *map(_cells, rows)]
    return "\n".join(f"| {line} |" for line in lines)


def _cells(row: dict[str, Any]) -> str:
    cells = [
        _name(row),
        row["T"],
        row["S"],
        row["attention_labels"],
        row["precision"],
        *(_cell(row[key], 1, 2) for key in ("time_over_bound", "time_over_unrolled")),
        _cell(row["peak_bytes"], 1e6, 0, "does not fit"),
        *(_cell(row[key], 1e6, 0) for key in ("live_peak_bytes", "first_order_peak_bytes")),
        row["turns"],
    ]
    return " | ".join(map(str, cells))


def _name(row: dict[str, Any]) -> str:
    if not row["compiled"]:
        return row["method"]
    return f"{row['method']}, compiled in {row['compile_seconds']:.0f} s"


def _cell(value: float | None, unit: float, digits: int, missing: str = "") -> str:
    return missing if value is None else f"{value / unit:,.{digits}f}"


def _plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Plot time and peak memory over T: one line per method, one row of panels per kind of case."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import NullLocator

    kinds = sorted({(r["S"], r["attention_labels"], r["precision"]) for r in rows})
    figure, axes = plt.subplots(len(kinds), 2, figsize=(10, 3.6 * len(kinds)), squeeze=False)
    for (S, attention, precision), (time_panel, memory_panel) in zip(kinds, axes, strict=True):
        chosen = [
            r
            for r in rows
            if (r["S"], r["attention_labels"], r["precision"]) == (S, attention, precision)
        ]
        title = f"S = {S}, attention labels {attention}, {precision}"
        time_panel.set(title=title, xlabel="T", ylabel="time / B", xscale="log")
        memory_panel.set(title=title, xlabel="T", ylabel="peak memory, MB", xscale="log")
        memory_panel.set_yscale("log")
        for method, compiled in sorted({(r["method"], r["compiled"]) for r in chosen}):
            own = [r for r in chosen if (r["method"], r["compiled"]) == (method, compiled)]
            label = method + (COMPILED if compiled else "")
            _line(time_panel, own, "time_over_bound", 1.0, label)
            _line(memory_panel, own, "peak_bytes", 1e6, label)
        first = {r["T"]: r for r in chosen}
        _line(memory_panel, list(first.values()), "first_order_peak_bytes", 1e6, "first order")
        memory_panel.legend()
        for panel in (time_panel, memory_panel):
            panel.set_xticks(list(first), map(str, first))
            panel.xaxis.set_minor_locator(NullLocator())
        time_panel.axhline(1, color="grey", linewidth=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path)


def _line(panel: Any, rows: list[dict[str, Any]], key: str, unit: float, label: str) -> None:
    fitting = [row for row in rows if row[key] is not None]
    steps = [row["T"] for row in fitting]
    panel.plot(steps, [row[key] / unit for row in fitting], marker="o", label=label)


if __name__ == "__main__":
    main()
