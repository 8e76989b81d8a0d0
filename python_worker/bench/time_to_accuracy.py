"""CPU seconds of distillation until its validation accuracy passes shares of that of full data.

Every variant is a set of flags of `npm run experiment` that is added to the common ones; the same
seeds are distilled with each, in turn. Only outer steps count: starts are left out, and so is the
accuracy, which is measured more often here than an experiment does it.
"""

import argparse
import json
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf import json_format

from stillhouse_proto.v1 import spec_pb2
from stillhouse_worker.context.reporting import Silent
from stillhouse_worker.context.task_context import TaskContext
from stillhouse_worker.convert import settings_of, spec_document
from stillhouse_worker.tasks.distill import Distillation

from ._experiments import add_common, parse, run_experiment
from ._shared import note

SHARES = (0.90, 0.95, 0.97)


class Reached(NamedTuple):
    """What one distillation came to.

    Attributes:
        seconds: CPU seconds until each of `SHARES` was passed; None for those that were not.
        curve: (step, CPU seconds, validation accuracy) of every measurement.
    """

    seconds: list[float | None]
    curve: list[tuple[int, float, float]]


def main() -> None:
    """Parse, distil, print."""
    args, flags = parse(_arguments())
    full = args.full / 100 if args.full else _full_accuracy(flags)
    note(f"full data: {full:.1%}")
    variants = dict(_named(text) for text in args.variant or ["as given="])
    reached: dict[str, list[Reached]] = {name: [] for name in variants}
    for seed in args.seeds.split(","):
        for name, own in variants.items():
            spec = _resolved([*flags, *own, "--seed", seed])
            reached[name].append(_distilled(spec, full, args.every))
            note(f"{name}, seed {seed}: {_told(reached[name][-1].seconds)}")
    if args.json:
        rows = {name: [each._asdict() for each in several] for name, several in reached.items()}
        print(json.dumps({"full": full, "shares": SHARES, "variants": rows}))
    else:
        print(_table(reached))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="npm run bench -- time-to-accuracy",
        description=__doc__.splitlines()[0],
    )
    add_common(parser)
    parser.add_argument(
        "--variant",
        action="append",
        metavar="NAME=FLAGS",
        help='flags of its own, such as "first token=--pooling first"; may be repeated',
    )
    parser.add_argument("--seeds", default="0,1,2", help="of the distillations (default: 0,1,2)")
    parser.add_argument(
        "--full", type=float, metavar="PERCENT", help="of full data (default: its baseline is run)"
    )
    parser.add_argument(
        "--every", type=int, default=10, help="outer steps between measurements (default: 10)"
    )
    parser.add_argument("--json", action="store_true", help="with the curves")
    return parser


def _named(text: str) -> tuple[str, list[str]]:
    name, _, flags = text.partition("=")
    return name, shlex.split(flags)


def _experiment(flags: Sequence[str], is_told: bool) -> dict[str, Any]:
    """The document that the command prints; ends the process where it fails."""
    ended = run_experiment(flags, is_told)
    if ended.exit_code != 0 or ended.document is None:
        sys.exit(ended.exit_code or 1)
    return ended.document


def _full_accuracy(flags: Sequence[str]) -> float:
    document = _experiment([*flags, "--inits", "0", "--baselines", "full"], is_told=True)
    return next(row["accuracy"]["mean"] for row in document["rows"] if row["id"] == "full")


def _resolved(flags: Sequence[str]) -> spec_pb2.ExperimentSpec:
    document = _experiment([*flags, "--baselines", "none", "--dry-run"], is_told=False)
    return json_format.ParseDict(document["spec"], spec_pb2.ExperimentSpec())


def _distilled(spec: spec_pb2.ExperimentSpec, full: float, every: int) -> Reached:
    """Distil until the last share is passed or the steps are done."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        settings, document = settings_of(spec), spec_document(spec)
        task = TaskContext(settings, document, [], Silent(), place, place)
        return _reached(list(_curve(Distillation(task), full, every)), full)


def _curve(
    distillation: Distillation, full: float, every: int
) -> Iterator[tuple[int, float, float]]:
    seconds, accuracy = 0.0, 0.0
    while distillation.step < distillation.num_steps and accuracy < SHARES[-1] * full:
        started = time.process_time()
        distillation.loop.advance()
        seconds += time.process_time() - started
        if distillation.step % every == 0 or distillation.step == distillation.num_steps:
            accuracy = distillation.on_validation()
            note(f"  step {distillation.step}: {accuracy:.1%}, {seconds:.0f} CPU s", end="\r")
            yield distillation.step, seconds, accuracy


def _reached(curve: list[tuple[int, float, float]], full: float) -> Reached:
    passed = [
        next((seconds for _, seconds, accuracy in curve if accuracy >= share * full), None)
        for share in SHARES
    ]
    return Reached(passed, curve)


def _told(seconds: Sequence[float | None]) -> str:
    return ", ".join(
        f"{share:.0%} after {each:.1f} CPU s" if each is not None else f"{share:.0%} not reached"
        for share, each in zip(SHARES, seconds, strict=True)
    )


def _table(reached: dict[str, list[Reached]]) -> str:
    head = [
        "variant",
        "CPU s per step",
        *(f"CPU s to {share:.0%} of full data" for share in SHARES),
    ]
    rows = [head, ["---"] * len(head)]
    for name, several in reached.items():
        last = [each.curve[-1] for each in several]
        per_step = statistics.median(seconds / step for step, seconds, _ in last)
        cells = [_cell([each.seconds[at] for each in several]) for at in range(len(SHARES))]
        rows.append([name, f"{per_step:.2f}", *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "not reached"
    text = f"{statistics.mean(known):.1f} ± {statistics.pstdev(known):.1f}"
    return text if len(known) == len(values) else f"{text} ({len(known)} of {len(values)} seeds)"


if __name__ == "__main__":
    main()
