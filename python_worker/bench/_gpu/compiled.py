"""The method `blockwise` with blocks that `torch.compile` has made kernels of."""

import functools
import itertools
from collections.abc import Iterator

import torch

from stillhouse_worker.learners.encoder import Encoder

from .._meta_problem import BOUND, COMPILED, Case, setting_of, work_of
from .._outer_ways import cosine
from .._random_encoders import MINILM, random_encoder
from .._shared import peak_bytes, seconds_of, take_turns
from .device import prepared_device, row_of
from .meta_gradient import TURNS, cases_of, name_of, ratio_row
from .part import Options, Row, not_reached, skipped

METHOD = "blockwise"
LEAST_COSINE = 0.9999


def rows(options: Options) -> Iterator[Row]:
    """See `Rows`."""
    device = prepared_device(options)
    if device.type == "cpu":
        yield skipped(METHOD, "on a CPU: npm run bench -- meta-gradient --compile")
        return
    encoder = random_encoder(MINILM, device)
    cases = cases_of(options.is_tiny)
    done = 0
    for _, alike in itertools.groupby(cases, key=lambda case: (case.S, case.attention_labels)):
        # Kernels are made per shape; those of earlier shapes count towards a limit of them.
        torch.compiler.reset()
        for case in alike:
            if options.seconds_left() < 0:
                yield not_reached(len(cases) - done)
                return
            name = name_of(case, f"{METHOD}, compiled")
            yield row_of(name, functools.partial(_row, name, case, encoder, device))
            done += 1


def _row(name: str, case: Case, encoder: Encoder, device: torch.device) -> Row:
    setting = setting_of(case, encoder)
    works = {kind: work_of(setting, kind) for kind in (BOUND, METHOD, METHOD + COMPILED)}
    compile_seconds = seconds_of(works[METHOD + COMPILED], device)
    near = cosine(works[METHOD + COMPILED]().grads, works[METHOD]().grads)
    peaks = (peak_bytes(works[METHOD + COMPILED], device), peak_bytes(works[BOUND], device))
    times = take_turns(works, TURNS, device)
    return ratio_row(
        name,
        times[METHOD + COMPILED],
        times[BOUND],
        peaks,
        {"compile_seconds": compile_seconds, "cosine": near},
        "passed" if near >= LEAST_COSINE else "failed",
        f", cosine {near:.6f} with eager; first call {compile_seconds:.0f} s",
    )
