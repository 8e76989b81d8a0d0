"""Time and memory of the meta-gradient of a network of images, against the way of Wang et al.

Their program keeps the graph and the weights of every inner step until the backward pass, as
`unrolled` does. The methods take turns in one process, and each ratio is the median over the turns
of processor time, which other work on the machine disturbs less than it does the clock. Memory is
that of tensors at their peak, above what the outer batch alone takes.
"""

import argparse
import json
import statistics
import time
from typing import Any, NamedTuple

import torch

from stillhouse_worker.distillation.inner import inner_loss
from stillhouse_worker.distillation.meta_gradient import METHODS, MetaProblem
from stillhouse_worker.distillation.meta_gradient.walk import outer_gradient
from stillhouse_worker.distillation.outer_loss import num_parts, outer_losses
from stillhouse_worker.distillation.synthetic import SyntheticConfig, init_phi, materialise
from stillhouse_worker.learners.nets import NET_NAMES, Shape, make_net

from ._meta_problem import Setting
from ._shared import Work, live_peak_bytes, note, take_turns

NUM_CLASSES = 10
COLUMNS = ("method", "T", "ms", "time / unrolled", "MB above the outer batch", "of that copies")


class Way(NamedTuple):
    """A method, and the MiB that it may keep from training for the backward pass."""

    method: str
    activation_mib: int

    @property
    def name(self) -> str:
        """As in the table."""
        kept = f", keeps {self.activation_mib} MiB" if self.method == "stepwise" else ""
        return self.method + kept


def main() -> None:
    """Parse, measure, print."""
    args = _arguments()
    torch.set_num_threads(args.threads)
    rows: list[dict[str, Any]] = []
    for steps in args.T:
        for row in _rows(steps, args):
            note("  " + _cells(row))
            rows.append(row)
    print(json.dumps({"rows": rows}) if args.json else _table(rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="npm run bench -- net-gradient", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--T", type=int, nargs="+", default=[3, 30, 90], help="inner steps")
    parser.add_argument("--net", default="lenet", choices=NET_NAMES)
    parser.add_argument("--shape", type=int, nargs=3, default=[1, 28, 28], help="of an image")
    parser.add_argument("--batch", type=int, default=256, help="real images per outer step")
    parser.add_argument(
        "--activation-memory",
        type=int,
        nargs="+",
        default=[0, 176],
        help="MiB that stepwise may keep (default: nothing, and what the preset cpu has)",
    )
    parser.add_argument("--repetitions", type=int, default=5, help="turns (default: 5)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser.parse_args()


def _rows(steps: int, args: argparse.Namespace) -> list[dict[str, Any]]:
    setting = setting_of(args.net, tuple(args.shape), steps, args.batch)
    ways = [Way("unrolled", 0), *(Way("stepwise", mib) for mib in args.activation_memory)]
    works = {way.name: _work(setting, way) for way in ways}
    times = take_turns(works, args.repetitions, clock=time.process_time)
    base = live_peak_bytes(lambda: outer_gradient(setting.problem, setting.theta))
    copy = sum(p.numel() * p.element_size() for p in setting.theta.values())
    return [
        {
            "method": way.name,
            "T": steps,
            "seconds": statistics.median(times[way.name]),
            "time_over_unrolled": statistics.median(
                one / other for one, other in zip(times[way.name], times["unrolled"], strict=True)
            ),
            "bytes_above_outer": live_peak_bytes(works[way.name]) - base,
            "copies_bytes": steps * copy,
        }
        for way in ways
    ]


def _work(setting: Setting, way: Way) -> Work:
    problem = setting.problem._replace(activation_bytes=way.activation_mib * 2**20)
    if way.method == "unrolled":
        problem = problem._replace(outer_losses=setting.whole)
    return lambda: METHODS[way.method](problem, setting.phi, setting.theta)


def setting_of(name: str, shape: Shape, steps: int, batch: int) -> Setting:
    """One image per class and its learned rates, as Wang et al. (2018) distil them."""
    draws = torch.Generator().manual_seed(0)
    net = make_net(name, shape, [0.5] * shape[0], [0.25] * shape[0])
    theta = net.draw(NUM_CLASSES, "default", draws)
    config = SyntheticConfig(NUM_CLASSES, 1, 1, "hard", "none", steps, 0.02, 1.0, "per_step")
    phi = init_phi(config, 0, 0, torch.randn(NUM_CLASSES, *shape, generator=draws), draws)
    entry = torch.randn(batch, *shape, generator=draws)
    labels = torch.randint(NUM_CLASSES, (batch,), generator=draws)
    whole, parts = (
        outer_losses(net, entry, None, labels, parts=parts)
        for parts in (1, num_parts(entry.device, len(labels)))
    )
    loss = inner_loss(net, 0.0, "keys")
    problem = MetaProblem(lambda values: materialise(config, values), loss, parts)
    return Setting(problem, whole, phi, theta)


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [" | ".join(COLUMNS), " | ".join(["---", *["---:"] * 5]), *map(_cells, rows)]
    return "\n".join(f"| {line} |" for line in lines)


def _cells(row: dict[str, Any]) -> str:
    return " | ".join(
        [
            row["method"],
            str(row["T"]),
            f"{row['seconds'] * 1e3:,.1f}",
            f"{row['time_over_unrolled']:.2f}",
            f"{row['bytes_above_outer'] / 1e6:,.1f}",
            f"{row['copies_bytes'] / 1e6:,.1f}",
        ]
    )


if __name__ == "__main__":
    main()
