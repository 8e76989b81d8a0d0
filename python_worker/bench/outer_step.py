"""A whole outer step as Stillhouse takes it, against the way that published code takes it.

The usual way: fp32, unrolled with a graph through all inner steps, every text padded to the longest
allowed, and one more pass without gradients for the loss that is logged. Both ways take the same
texts and heads in turn: batch, embedding, inner steps, meta-gradient, clipping, Adam. The cosine is
that with the exact meta-gradient of one step. Heads are given the first token where nothing else is
said, so that the last block computes one row, or the mean over all tokens.
"""

import argparse
import json
import statistics
import sys
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from _shared import Work, note, take_turns
from torch import Tensor

from stillhouse_worker.datasets import (
    Reading,
    TokenSplit,
    collate,
    epoch_batches,
    length_sorted_batches,
    load_dataset,
    tokenise,
)
from stillhouse_worker.distillation.inner import InnerLoss
from stillhouse_worker.distillation.meta_gradient import METHODS, MetaProblem
from stillhouse_worker.distillation.outer_loss import num_parts, outer_losses
from stillhouse_worker.distillation.synthetic import Phi, SyntheticConfig, init_phi, materialise
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.learners import draw_head, learner_params
from stillhouse_worker.learners.encoder import POOLINGS, Encoder, Pooling
from stillhouse_worker.learners.precision import Precision
from stillhouse_worker.models.catalog import model_folder
from stillhouse_worker.models.opened import load_encoder
from stillhouse_worker.seeding import generator

NUM_CLASSES = 4
# Tokens of AG News' texts, about: what is drawn where no data set is given.
MEAN_LENGTH, LENGTH_SPREAD = 50, 14


class Way(NamedTuple):
    """How a step is taken."""

    method: str
    inner: Precision
    outer: Precision
    is_padded_fully: bool
    has_logging_pass: bool
    pooling: Pooling = "first"


WAYS = {
    "usual": Way("unrolled", "fp32", "fp32", True, True),
    "stepwise, fp32": Way("stepwise", "fp32", "fp32", False, False),
    "stepwise, fp32, mean": Way("stepwise", "fp32", "fp32", False, False, "mean"),
    "stepwise, outer bf16": Way("stepwise", "fp32", "bf16", False, False),
    "stepwise, bf16": Way("stepwise", "bf16", "bf16", False, False),
    "blockwise, bf16": Way("blockwise", "bf16", "bf16", False, False),
    "blockwise, bf16, mean": Way("blockwise", "bf16", "bf16", False, False, "mean"),
}


class Bench:
    """Texts, encoder and distilled data that all ways share."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.encoder: Encoder = load_encoder(model_folder("minilm"))
        self.texts = _texts(args, self.encoder)
        sizes = self.encoder.config
        self.synthetic = SyntheticConfig(
            NUM_CLASSES, 1, args.S, "unrestricted", args.al, args.T, 0.5, 1.0, "none"
        )
        draws = generator(0, "distilled data")
        x = torch.randn(NUM_CLASSES, args.S, sizes.width, generator=draws)
        self.phi: Phi = init_phi(self.synthetic, sizes.num_layers, sizes.num_heads, x, draws)
        self.head = draw_head(sizes.width, NUM_CLASSES, "default", draws)

    def gradients(self, way: Way, rows: Tensor) -> dict[str, Tensor]:
        """The meta-gradient for the texts ``rows``."""
        batch = collate(self.texts, rows)
        ids, types, mask, labels = batch
        if way.is_padded_fully:
            missing = self.args.max_length - ids.shape[1]
            ids, types, mask = (F.pad(tensor, (0, missing)) for tensor in (ids, types, mask))
        entry = self.encoder.embed(ids, types)
        sizes = self.encoder.config._replace(pooling=way.pooling)
        parts = 1 if way.method == "unrolled" else num_parts(entry.device)
        losses = outer_losses(sizes, entry, mask, labels, way.outer, parts)
        theta = learner_params(self.encoder, self.head)
        problem = MetaProblem(
            lambda phi: materialise(self.synthetic, phi),
            InnerLoss(sizes, 1.0, "keys", way.inner),
            losses,
        )
        grads = METHODS[way.method](problem, self.phi, theta).grads
        if way.has_logging_pass:
            with torch.no_grad():
                problem.outer_loss(theta)
        return grads


class Steps:
    """One outer step after the other, in one way."""

    def __init__(self, bench: Bench, way: Way) -> None:
        self.bench, self.way = bench, way
        self.phi = {name: p.detach().clone().requires_grad_() for name, p in bench.phi.items()}
        self.optimizer = torch.optim.Adam(list(self.phi.values()), lr=2e-3)
        pool_size = 1 if way.is_padded_fully else 32
        lengths, draws = bench.texts.offsets.diff(), generator(0, "batches")
        self.batches = iter(epoch_batches(lengths, bench.args.batch_size, draws, pool_size))

    def step(self) -> None:
        for name, grad in self.bench.gradients(self.way, next(self.batches)).items():
            self.phi[name].grad = grad
        torch.nn.utils.clip_grad_norm_(list(self.phi.values()), 1.0)
        self.optimizer.step()


def main() -> None:
    """Parse, measure, print."""
    args = _arguments()
    try:
        bench = Bench(args)
    except StillhouseError as error:  # of the data set
        sys.exit(f"error: {error.message}")
    lengths = bench.texts.offsets.diff()
    note(f"{len(lengths):,} texts of {lengths.float().mean():.0f} tokens")
    works = {name: _several(Steps(bench, way), args.steps) for name, way in WAYS.items()}
    times = take_turns(works, args.repetitions)
    rows = length_sorted_batches(lengths, args.batch_size)[0]
    exact = {
        pooling: bench.gradients(Way("stepwise", "fp32", "fp32", False, False, pooling), rows)
        for pooling in POOLINGS
    }
    ratios = {name: zip(times["usual"], times[name], strict=True) for name in WAYS}
    document = [
        {
            "way": name,
            "seconds": statistics.median(times[name]) / args.steps,
            "times_faster": statistics.median(usual / own for usual, own in ratios[name]),
            "cosine": _cosine(bench.gradients(way, rows), exact[way.pooling]),
        }
        for name, way in WAYS.items()
    ]
    print(json.dumps({"rows": document}) if args.json else _table(document))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="npm run bench -- outer-step", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--T", type=int, default=1, help="inner steps (default: 1)")
    parser.add_argument("--S", type=int, default=64, help="distilled length (default: 64)")
    parser.add_argument("--al", default="cls", choices=["none", "cls", "all"])
    parser.add_argument("--batch-size", type=int, default=48, help="real texts (default: 48)")
    parser.add_argument("--max-length", type=int, default=64, help="of a text (default: 64)")
    parser.add_argument("--data-dir", help="folder of data sets; without it texts are drawn")
    parser.add_argument("--dataset", default="ag_news", help="one in --data-dir")
    parser.add_argument("--steps", type=int, default=8, help="of each turn (default: 8)")
    parser.add_argument("--repetitions", type=int, default=5, help="turns (default: 5)")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser.parse_args()


def _texts(args: argparse.Namespace, encoder: Encoder) -> TokenSplit:
    if args.data_dir:
        dataset = load_dataset(
            args.dataset,
            source="local",
            data_dir=args.data_dir,
            splits=["train"],
            reading=Reading(0.05, 0.2, "refuse"),
        )
        return tokenise(dataset.splits["train"], encoder.tokenizer, args.max_length)
    draws = generator(0, "texts")
    count = args.batch_size * args.steps * (args.repetitions + 1)
    lengths = (MEAN_LENGTH + LENGTH_SPREAD * torch.randn(count, generator=draws)).long()
    offsets = F.pad(lengths.clamp(5, args.max_length).cumsum(0), (1, 0))
    total = int(offsets[-1])
    return TokenSplit(
        torch.randint(1000, 20_000, (total,), generator=draws, dtype=torch.int32),
        torch.zeros(total, dtype=torch.int32),
        offsets,
        torch.randint(NUM_CLASSES, (count,), generator=draws),
    )


def _several(steps: Steps, count: int) -> Work:
    def run() -> None:
        for _ in range(count):
            steps.step()

    return run


def _cosine(grads: dict[str, Tensor], exact: dict[str, Tensor]) -> float:
    flat = [torch.cat([g[name].double().flatten() for name in exact]) for g in (grads, exact)]
    return torch.cosine_similarity(*flat, dim=0).item()


def _table(rows: list[dict[str, Any]]) -> str:
    lines = ["| way | seconds a step | times faster | cosine |", "| --- | ---: | ---: | ---: |"]
    for row in rows:
        figures = f"{row['seconds']:.3f} | {row['times_faster']:.2f} | {row['cosine']:.5f}"
        lines.append(f"| {row['way']} | {figures} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
