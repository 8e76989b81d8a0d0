"""Steps per second at the study's settings, beside the way that published code takes.

The shape of DistilBERT, S = 512, 48 texts as long as those of AG News, one inner step, attention
labels of the first token. The usual way is unrolled, with inner steps in fp32, every text padded to
512 tokens, and one more pass for the logged loss. "loop" is the worker's whole outer loop.
"""

import functools
import statistics
from collections.abc import Iterator
from typing import Any

import torch

from .._outer_loops import LoopSettings, outer_loop
from .._outer_ways import Steps, Way, drawn_texts, scene_of, several
from .._random_encoders import DISTILBERT, TINY, random_encoder
from .._shared import Work, seconds_of
from .device import prepared_device, row_of
from .part import Options, Row, not_reached

USUAL = "usual, outer batch in fp16"
WAYS = {
    USUAL: Way("unrolled", "fp32", "fp16", True, True),
    "usual, fp32": Way("unrolled", "fp32", "fp32", True, True),
    "blockwise, fp32": Way("blockwise", "fp32", "fp32", False, False),
    "blockwise, outer batch in fp16": Way("blockwise", "fp32", "fp16", False, False),
    "stepwise, outer batch in fp16": Way("stepwise", "fp32", "fp16", False, False),
    "blockwise, bf16": Way("blockwise", "bf16", "bf16", False, False),
    "stepwise, bf16": Way("stepwise", "bf16", "bf16", False, False),
}
LOOP = "loop: blockwise, outer batch in fp16 (preset study)"


def rows(options: Options) -> Iterator[Row]:
    """See `Rows`."""
    device = prepared_device(options)
    trial = _Trial(options.is_tiny, device)
    for done, name in enumerate((*WAYS, LOOP)):
        if options.seconds_left() < 0:
            yield not_reached(len(WAYS) + 1 - done)
            return
        yield row_of(name, functools.partial(trial.row, name))


class _Trial:
    """What all ways are given, and how fast the usual one was."""

    def __init__(self, is_tiny: bool, device: torch.device) -> None:
        self.device = device
        shape = TINY if is_tiny else DISTILBERT
        self.per_turn, self.turns = (1, 1) if is_tiny else (10, 3)
        self.S, self.batch_size = (6, 4) if is_tiny else (512, 48)
        self.max_length = shape.max_positions
        self.encoder = random_encoder(shape, device)
        count = self.batch_size * self.per_turn * (self.turns + 1)
        self.texts = drawn_texts(count, self.max_length, shape.num_tokens)
        self.usual: float | None = None

    def row(self, name: str) -> Row:
        work = self._loop() if name == LOOP else self._way(WAYS[name])
        work()  # warms up
        times = [seconds_of(work, self.device) for _ in range(self.turns)]
        per_second = self.per_turn / statistics.median(times)
        if name == USUAL:
            self.usual = per_second
        figures: dict[str, Any] = {"steps_per_second": per_second, "turns": times}
        said = f"{per_second:,.2f} steps per second"
        if self.usual is not None:
            figures["times_usual"] = per_second / self.usual
            said += f", {per_second / self.usual:.2f} × the usual way"
        return Row(name, said, "measured", figures)

    def _way(self, way: Way) -> Work:
        sizes = (self.S, 1, "cls", self.batch_size, self.max_length)
        return several(Steps(scene_of(self.encoder, self.texts, *sizes), way), self.per_turn)

    def _loop(self) -> Work:
        num_steps = self.per_turn * (self.turns + 1)
        settings = LoopSettings(self.S, self.batch_size, num_steps, outer="fp16")
        loop = outer_loop(self.encoder, self.texts, settings)

        def run() -> None:
            for _ in range(self.per_turn):
                loop.advance()

        return run
