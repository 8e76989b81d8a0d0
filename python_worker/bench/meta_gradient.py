"""Time and memory of the meta-gradient, against plain first-order training and the oracle.

The bound B is what training alone costs: T plain forward and backward passes on the distilled
batch and one on the outer batch. Methods and bound take turns in one process, and each ratio is the
median over the turns; peak memory is measured in a process of its own for each, above what it held
before.
"""

import argparse
import gc
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from transformers import BertConfig, BertModel

from stillhouse_worker.distillation.inner import InnerLoss, inner_gradient
from stillhouse_worker.distillation.meta_gradient import METHODS, MetaProblem
from stillhouse_worker.distillation.meta_gradient.walk import outer_gradient
from stillhouse_worker.distillation.synthetic import Phi, SyntheticConfig, init_phi, materialise
from stillhouse_worker.learners import draw_head, first_order_attention, forward, learner_params
from stillhouse_worker.learners.encoder import Params, encoder_of
from stillhouse_worker.learners.precision import PRECISIONS, autocast

NUM_CLASSES, OUTER_ROWS, OUTER_TOKENS = 4, 32, 64
MINILM = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
}
BOUND = "bound"
# Unrolled steps beyond this share of the free memory are predicted and not tried.
USABLE_MEMORY = 0.7


class Case(NamedTuple):
    """One row of the table but for the method."""

    T: int
    S: int
    attention_labels: str
    precision: str


class Setting(NamedTuple):
    """What a method is called with."""

    problem: MetaProblem
    phi: Phi
    theta: Params


def main() -> None:
    """Parse, measure, print."""
    args = _arguments()
    if args.child:
        *case, name = json.loads(args.child)
        print(_peak_bytes(Case(*case), name))
        return
    rows = []
    cases = [Case(*values) for values in itertools.product(args.T, args.S, args.al, args.precision)]
    for number, case in enumerate(cases, 1):
        _note(f"[{number}/{len(cases)}] {' '.join(f'{k}={v}' for k, v in case._asdict().items())}")
        rows += _rows(case, args.method, args.repetitions)
    print(json.dumps({"rows": rows}) if args.json else _table(rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="npm run bench -- meta-gradient", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--T", type=int, nargs="+", default=[1, 3, 10, 50], help="inner steps")
    parser.add_argument("--S", type=int, nargs="+", default=[64, 512], help="distilled length")
    parser.add_argument("--al", nargs="+", default=["none", "cls"], choices=["none", "cls", "all"])
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=PRECISIONS)
    parser.add_argument("--method", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="S 64, T 1, 3 and 10, al cls")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.quick:
        args.T, args.S, args.al = [1, 3, 10], [64], ["cls"]
    return args


def _setting(case: Case) -> Setting:
    draws = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    encoder = encoder_of(BertModel(BertConfig(**MINILM)).eval(), tokenizer=None)
    sizes = encoder.config
    config = SyntheticConfig(
        NUM_CLASSES, 1, case.S, "unrestricted", case.attention_labels, case.T, 0.01, 1.0, "none"
    )
    x = torch.randn(NUM_CLASSES, case.S, sizes.width, generator=draws)
    phi = init_phi(config, sizes.num_layers, sizes.num_heads, x, draws)
    entry = torch.randn(OUTER_ROWS, OUTER_TOKENS, sizes.width, generator=draws)
    mask = torch.ones(OUTER_ROWS, OUTER_TOKENS, dtype=torch.bool)
    labels = torch.randint(NUM_CLASSES, (OUTER_ROWS,), generator=draws)
    attention = first_order_attention(entry.device)

    def outer_loss(theta: Params) -> torch.Tensor:
        with autocast(entry.device, case.precision):
            logits = forward(sizes, theta, entry, mask, attention=attention).logits
        return F.cross_entropy(logits.float(), labels)

    head = draw_head(sizes.width, NUM_CLASSES, "default", draws)
    inner = "bf16" if case.precision == "bf16" else "fp32"
    return Setting(
        MetaProblem(
            lambda phi: materialise(config, phi), InnerLoss(sizes, 1.0, "keys", inner), outer_loss
        ),
        phi,
        learner_params(encoder, head),
    )


def _work(setting: Setting, name: str) -> Callable[[], object]:
    if name != BOUND:
        return lambda: METHODS[name](*setting)
    problem, phi, theta = setting
    data = problem.materialise(phi).map(torch.Tensor.detach)

    def plain_training() -> None:
        for _ in data.lrs:
            inner_gradient(problem.inner_loss, data, theta)
        outer_gradient(problem, theta)

    return plain_training


def _rows(case: Case, methods: list[str], repetitions: int) -> Iterator[dict[str, Any]]:
    peaks = {name: _fitting_peak(case, name) for name in [BOUND, *methods]}
    fitting = [name for name in methods if peaks[name] is not None]
    times = _times(_setting(case), [BOUND, *fitting], repetitions)

    def ratio(name: str, to: str) -> float | None:
        if name not in times or to not in times:
            return None
        return statistics.median(a / b for a, b in zip(times[name], times[to], strict=True))

    for name in methods:
        yield {
            "method": name,
            **case._asdict(),
            "compiled": False,
            "time_over_bound": ratio(name, BOUND),
            "time_over_unrolled": ratio(name, "unrolled"),
            "peak_bytes": peaks[name],
            "first_order_peak_bytes": peaks[BOUND],
        }


def _times(setting: Setting, names: list[str], repetitions: int) -> dict[str, list[float]]:
    works = {name: _work(setting, name) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repetitions + 1):
        for name, work in works.items():
            gc.collect()
            started = time.perf_counter()
            work()
            if turn > 0:  # the first warms up
                times[name].append(time.perf_counter() - started)
        _note(f"  turn {turn} of {repetitions}", end="\r")
    return times


def _fitting_peak(case: Case, name: str) -> int | None:
    """Peak memory in a process of its own; None where it is predicted not to fit."""
    if name == "unrolled" and case.T > 3:  # its memory is a line in T
        one, three = (_measured_peak(case._replace(T=steps), name) for steps in (1, 3))
        predicted = one + (three - one) / 2 * (case.T - 1)
        if predicted > USABLE_MEMORY * _free_bytes():
            return None
    return _measured_peak(case, name)


def _measured_peak(case: Case, name: str) -> int:
    command = [sys.executable, __file__, "--child", json.dumps([*case, name])]
    return int(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def _peak_bytes(case: Case, name: str) -> int:
    work = _work(_setting(case), name)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = _status_bytes("VmRSS")
    work()
    return _status_bytes("VmHWM") - before


def _status_bytes(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def _free_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise KeyError("MemAvailable")


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| method | T | S | attention labels | precision | time / B | time / unrolled "
        "| peak MB | first-order peak MB |",
        "| --- | ---: | ---: | --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        cells = [
            row["method"],
            row["T"],
            row["S"],
            row["attention_labels"],
            row["precision"],
            *(_cell(row[key], 1, 2) for key in ("time_over_bound", "time_over_unrolled")),
            *(_cell(row[key], 1e6, 0) for key in ("peak_bytes", "first_order_peak_bytes")),
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _cell(value: float | None, unit: float, digits: int) -> str:
    return "does not fit" if value is None else f"{value / unit:,.{digits}f}"


def _note(text: str, end: str = "\n") -> None:
    if end == "\n" or sys.stderr.isatty():
        print(text, file=sys.stderr, end=end, flush=True)


if __name__ == "__main__":
    main()
