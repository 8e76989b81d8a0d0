"""What parts of a batch side by side save, over all threads on one batch at a time, with MiniLM.

Linear classifiers need the features of all texts, every learner is tested on all of its split, and
an outer step needs the gradient of a batch. All ways take turns with the same drawn texts; each
turn is measured in seconds and, in another one, in processor time.
"""

import argparse
import json
import statistics
import sys
import time
from typing import Any

import torch

from stillhouse_worker.datasets import TokenSplit, collate, length_sorted_batches
from stillhouse_worker.devices.facts import cpu_computes_bf16
from stillhouse_worker.distillation.outer_loss import num_parts, outer_losses
from stillhouse_worker.distillation.summed_gradient import summed_gradient
from stillhouse_worker.evaluation import features_of
from stillhouse_worker.evaluation.reading import MEASURE_BATCH_SIZE
from stillhouse_worker.learners import Encoder, draw_head, frozen_features, learner_params
from stillhouse_worker.learners.lanes import num_lanes
from stillhouse_worker.learners.precision import Precision, autocast
from stillhouse_worker.models.catalog import model_folder
from stillhouse_worker.models.opened import load_encoder
from stillhouse_worker.seeding import generator

from ._outer_ways import drawn_texts
from ._shared import CPU, Work, note, take_turns

_NUM_CLASSES = 4
# The first way of a job is what the others are compared with.
_JOBS = ("reading", "gradient")


def main() -> None:
    """Parse, measure, print."""
    args = _arguments()
    encoder = load_encoder(model_folder("minilm"), "mean")
    precisions: list[Precision] = ["fp32", "bf16"] if cpu_computes_bf16() else ["fp32"]
    document = []
    for precision in precisions:
        for job in _JOBS:
            note(f"{job}, {precision}")
            works = (_reading if job == "reading" else _gradient)(encoder, precision, args)
            document += _rows(f"{job}, {precision}", works, args.repetitions)
    print(json.dumps({"rows": document}) if args.json else _table(document))


def _rows(job: str, works: dict[str, Work], repetitions: int) -> list[dict[str, Any]]:
    wall = take_turns(works, repetitions)
    processor = take_turns(works, repetitions, clock=time.process_time)
    usual = next(iter(works))
    return [
        {
            "job": job,
            "way": way,
            "times_faster": _ratio(wall[usual], wall[way]),
            "processor_time": _ratio(processor[way], processor[usual]),
        }
        for way in works
    ]


def _ratio(over: list[float], under: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(over, under, strict=True))


def _reading(encoder: Encoder, precision: Precision, args: argparse.Namespace) -> dict[str, Work]:
    texts = drawn_texts(args.texts, args.max_length)
    return {
        f"{MEASURE_BATCH_SIZE} rows at a time": lambda: _read(encoder, texts, precision),
        "side by side": lambda: features_of(encoder, texts, precision),
    }


def _read(encoder: Encoder, texts: TokenSplit, precision: Precision) -> None:
    for rows in length_sorted_batches(texts.lengths, MEASURE_BATCH_SIZE):
        batch = collate(texts, rows)
        with autocast(CPU, precision):
            frozen_features(encoder, batch.inputs, batch.mask)


def _gradient(encoder: Encoder, precision: Precision, args: argparse.Namespace) -> dict[str, Work]:
    batch = collate(drawn_texts(args.batch_size, args.max_length), torch.arange(args.batch_size))
    head = draw_head(encoder.config.width, _NUM_CLASSES, "default", generator(0, "head"))
    theta, entry = learner_params(encoder, head), encoder.embed(*batch.inputs).detach()

    def gradient(parts: int, lanes: int) -> Work:
        losses = outer_losses(encoder, entry, batch.mask, batch.labels, precision, parts)
        return lambda: summed_gradient(losses, theta, lanes)

    count = num_parts(CPU, args.batch_size)
    return {
        "whole": gradient(1, 1),
        f"{count} parts, one after the other": gradient(count, 1),
        f"{count} parts, side by side": gradient(count, num_lanes(encoder, CPU)),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="npm run bench -- lanes", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--texts", type=int, default=512, help="that are read (default: 512)")
    parser.add_argument("--batch-size", type=int, default=24, help="of a gradient (default: 24)")
    parser.add_argument("--max-length", type=int, default=64, help="of a text (default: 64)")
    parser.add_argument("--repetitions", type=int, default=3, help="turns (default: 3)")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    args = parser.parse_args()
    if torch.get_num_threads() == 1:
        sys.exit("error: there is nothing side by side on one thread; raise OMP_NUM_THREADS")
    return args


def _table(rows: list[dict[str, Any]]) -> str:
    lines = ["| job | way | times faster | processor time |", "| --- | --- | ---: | ---: |"]
    for row in rows:
        figures = f"{row['times_faster']:.2f} | {row['processor_time']:.2f}"
        lines.append(f"| {row['job']} | {row['way']} | {figures} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
