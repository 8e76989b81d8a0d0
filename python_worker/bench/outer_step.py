"""Time of a whole outer step in Stillhouse, against the way of published code.

The usual way: fp32, unrolled with a graph through all inner steps, every text padded to the longest
allowed, and one more pass without gradients for the logged loss. Both ways take turns with the same
texts and heads: batch, embedding, inner steps, meta-gradient, clipping, Adam. The cosine compares
the meta-gradient of one step with the exact one. Heads get the first token, so that the last block
computes one row, or the mean over all tokens where the name says so. Rows in bf16 are there only
where the processor computes it; emulated, one of them would take longer than all others together.
"""

import argparse
import json
import statistics
import sys
from typing import Any

from stillhouse_worker.datasets import TokenSplit, length_sorted_batches
from stillhouse_worker.devices.facts import cpu_computes_bf16
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.learners.encoder import Encoder
from stillhouse_worker.learners.encoder_config import POOLINGS
from stillhouse_worker.models.catalog import model_folder
from stillhouse_worker.models.opened import load_encoder

from ._outer_ways import Scene, Steps, Way, cosine, drawn_texts, scene_of, several
from ._shared import note, take_turns
from ._texts import train_texts

WAYS = {
    "usual": Way("unrolled", "fp32", "fp32", True, True),
    "stepwise, fp32": Way("stepwise", "fp32", "fp32", False, False),
    "blockwise, fp32": Way("blockwise", "fp32", "fp32", False, False),
    "blockwise, fp32, mean": Way("blockwise", "fp32", "fp32", False, False, "mean"),
    "stepwise, outer bf16": Way("stepwise", "fp32", "bf16", False, False),
    "stepwise, bf16": Way("stepwise", "bf16", "bf16", False, False),
    "blockwise, bf16": Way("blockwise", "bf16", "bf16", False, False),
    "blockwise, bf16, mean": Way("blockwise", "bf16", "bf16", False, False, "mean"),
}


def ways_with(has_bf16: bool) -> dict[str, Way]:
    """The rows of the table on a processor that computes in bf16, or does not."""
    return {name: way for name, way in WAYS.items() if has_bf16 or "bf16" not in way[1:3]}


def main() -> None:
    """Parse, measure, print."""
    args = _arguments()
    try:
        scene = _scene(args)
    except StillhouseError as error:  # the data set cannot be used
        sys.exit(f"error: {error.message}")
    lengths = scene.texts.offsets.diff()
    note(f"{len(lengths):,} texts of {lengths.float().mean():.0f} tokens")
    ways = ways_with(cpu_computes_bf16())
    if len(ways) < len(WAYS):
        note("no rows in bf16, which this processor would have to emulate")
    works = {name: several(Steps(scene, way), args.steps) for name, way in ways.items()}
    times = take_turns(works, args.repetitions)
    rows = length_sorted_batches(lengths, args.batch_size)[0]
    exact = {
        pooling: scene.gradients(
            Way("stepwise", "fp32", "fp32", False, False, pooling), rows, scene.phi
        )
        for pooling in POOLINGS
    }
    ratios = {name: zip(times["usual"], times[name], strict=True) for name in ways}
    document = [
        {
            "way": name,
            "seconds": statistics.median(times[name]) / args.steps,
            "times_faster": statistics.median(usual / own for usual, own in ratios[name]),
            "cosine": cosine(scene.gradients(way, rows, scene.phi), exact[way.pooling]),
        }
        for name, way in ways.items()
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
    parser.add_argument("--steps", type=int, default=3, help="of each turn (default: 3)")
    parser.add_argument("--repetitions", type=int, default=3, help="turns (default: 3)")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser.parse_args()


def _scene(args: argparse.Namespace) -> Scene:
    encoder = load_encoder(model_folder("minilm"))
    texts = _texts(args, encoder)
    return scene_of(encoder, texts, args.S, args.T, args.al, args.batch_size, args.max_length)


def _texts(args: argparse.Namespace, encoder: Encoder) -> TokenSplit:
    if not args.data_dir:
        count = args.batch_size * args.steps * (args.repetitions + 1)
        return drawn_texts(count, args.max_length)
    return train_texts(args.dataset, args.data_dir, encoder.tokenizer, args.max_length)


def _table(rows: list[dict[str, Any]]) -> str:
    lines = ["| way | seconds per step | times faster | cosine |", "| --- | ---: | ---: | ---: |"]
    for row in rows:
        figures = f"{row['seconds']:.3f} | {row['times_faster']:.2f} | {row['cosine']:.5f}"
        lines.append(f"| {row['way']} | {figures} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
