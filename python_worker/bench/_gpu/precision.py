"""Outer steps in fp16 and bf16 against those in fp32, and the steps that fp16 skips.

Taken are steps of the worker's own outer loop. Where its scale is too large for fp16, a step must
leave everything as it was and halve the scale, until one goes through.
"""

import functools
from collections.abc import Iterator

import torch
from torch import Tensor

from stillhouse_worker.distillation.outer import OuterLoop
from stillhouse_worker.learners.precision import Precision

from .._outer_loops import LoopSettings, outer_loop
from .._outer_ways import cosine, drawn_texts
from .._random_encoders import MINILM, TINY, random_encoder
from .device import prepared_device, row_of
from .part import Options, Row, judged, not_reached

METHODS = ("stepwise", "blockwise")
# (outer batch, derivatives of the inner steps)
PAIRS: tuple[tuple[Precision, Precision], ...] = (
    ("bf16", "fp32"),
    ("bf16", "bf16"),
    ("fp16", "fp32"),
    ("fp16", "fp16"),
)
LEAST_COSINE = 0.99
# Far beyond fp16: times a gradient of 0.01 it is 670,000, and the largest number is 65,504.
TOO_LARGE = 2.0**26
NUM_TEXTS = 512


def rows(options: Options) -> Iterator[Row]:
    """See `Rows`."""
    device = prepared_device(options)
    trial = _Trial(options.is_tiny, device)
    pairs = PAIRS[-1:] if options.is_tiny else PAIRS
    cases = [(method, *pair) for method in METHODS for pair in pairs]
    for done, (method, outer, inner) in enumerate(cases):
        if options.seconds_left() < 0:
            yield not_reached(len(cases) - done)
            break
        case = f"{method}, outer batch in {outer}, inner derivatives in {inner}"
        yield row_of(case, functools.partial(trial.row, case, method, outer, inner))
    for method in METHODS:
        case = f"{method}, fp16 with a scale of 2^26"
        yield row_of(case, functools.partial(trial.overflow_row, case, method))


class _Trial:
    """Texts and encoder of all rows."""

    def __init__(self, is_tiny: bool, device: torch.device) -> None:
        shape = TINY if is_tiny else MINILM
        self.encoder = random_encoder(shape, device)
        max_length = shape.max_positions if is_tiny else 128
        self.texts = drawn_texts(NUM_TEXTS, max_length, shape.num_tokens)
        length, batch, steps = (6, 8, 1) if is_tiny else (64, 48, 3)
        self.settings = LoopSettings(
            length, batch, 100, T=steps, attention_lambda=1.0, attention_reduction="keys"
        )
        self.exact: dict[tuple[str, int], dict[str, Tensor]] = {}

    def row(self, case: str, method: str, outer: Precision, inner: Precision) -> Row:
        loop = self._loop(method, outer, inner)
        step = loop.advance()
        while step.skipped:
            step = loop.advance()
        near = cosine(_gradients(loop), self._exact(method, loop.step - 1))
        skips = loop.optimiser.num_skipped
        said = f"cosine {near:.5f} with fp32{f', after {skips} skipped steps' if skips else ''}"
        figures = {"cosine": near, "skipped": skips, "outer_loss": step.outer_loss}
        return judged(case, said, near >= LEAST_COSINE, figures)

    def overflow_row(self, case: str, method: str) -> Row:
        loop = self._loop(method, "fp16", "fp32")
        state = loop.state()
        state["scaler"][0] = TOO_LARGE
        loop.restore(state, 0)
        before = _values(loop)
        skips, stayed = 0, True
        while loop.advance().skipped:
            skips += 1
            stayed = stayed and _equal(before, _values(loop))
        scale = loop.optimiser.scaler.get_scale()
        moved = not torch.equal(before["phi.x"], loop.phi["x"].detach())
        halved = scale == TOO_LARGE / 2**skips
        said = (
            f"{skips} steps skipped, {'nothing' if stayed else 'something'} moved in them; "
            f"the next one {'moved' if moved else 'did not move'} at a scale of {scale:g}"
        )
        figures = {"skipped": skips, "scale": scale, "stayed": stayed, "moved": moved}
        return judged(case, said, skips > 0 and stayed and moved and halved, figures)

    def _loop(self, method: str, outer: Precision, inner: Precision) -> OuterLoop:
        settings = self.settings._replace(method=method, outer=outer, inner=inner)
        return outer_loop(self.encoder, self.texts, settings)

    def _exact(self, method: str, step: int) -> dict[str, Tensor]:
        """The gradients in fp32 of the step with this number, from the first values of phi."""
        if (method, step) not in self.exact:
            loop = self._loop(method, "fp32", "fp32")
            loop.step = step
            loop.advance()
            self.exact[method, step] = _gradients(loop)
        return self.exact[method, step]


def _gradients(loop: OuterLoop) -> dict[str, Tensor]:
    grads = {name: tensor.grad for name, tensor in loop.phi.items()}
    return {name: grad.clone() for name, grad in grads.items() if grad is not None}


def _values(loop: OuterLoop) -> dict[str, Tensor]:
    """All that determines the next step, but for the scale and its counters."""
    state = {name: tensor.clone() for name, tensor in loop.state().items()}
    del state["scaler"]
    return state


def _equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)
