"""Time and memory of the methods over the first-order bound, in the shape of MiniLM, in fp32."""

import functools
import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from stillhouse_worker.distillation.meta_gradient import METHODS

from .._meta_problem import BOUND, Case, setting_of, work_of
from .._random_encoders import MINILM, TINY, random_encoder
from .._shared import Work, peak_bytes, take_turns
from .device import prepared_device, row_of
from .part import Options, Row, Verdict, not_reached

# Of the preset `study`.
TRAJECTORY_MIB, ACTIVATION_MIB = 2048, 4096
TURNS, TINY_TURNS = 5, 1
MB = 1e6


def cases_of(is_tiny: bool) -> list[Case]:
    """Short distilled data first, and within it few steps: what takes least comes first."""
    lengths, steps = ([6], [2]) if is_tiny else ([64, 512], [1, 3, 10])
    order = itertools.product(("cls", "all"), lengths, steps)
    return [Case(T, S, labels, "fp32", TRAJECTORY_MIB, ACTIVATION_MIB) for labels, S, T in order]


def name_of(case: Case, method: str) -> str:
    """A case in words."""
    return f"{method}, T = {case.T}, S = {case.S}, labels {case.attention_labels}"


def rows(options: Options) -> Iterator[Row]:
    """See `Rows`."""
    device = prepared_device(options)
    encoder = random_encoder(TINY if options.is_tiny else MINILM, device)
    cases = cases_of(options.is_tiny)
    for done, case in enumerate(cases):
        if options.seconds_left() < 0:
            yield not_reached((len(cases) - done) * len(METHODS))
            return
        setting = setting_of(case, encoder)
        bound = warmed_peak(work_of(setting, BOUND), device)
        for method in METHODS:
            name = name_of(case, method)
            names = {BOUND: BOUND, "own": method}
            works = {kind: work_of(setting, each) for kind, each in names.items()}
            turns = TINY_TURNS if options.is_tiny else TURNS
            yield row_of(name, functools.partial(_row, name, works, bound, turns, device))


def warmed_peak(work: Work, device: torch.device) -> int:
    """The peak in bytes of a run after one that warms up."""
    work()
    return peak_bytes(work, device)


def _row(
    name: str,
    works: Mapping[str, Work],
    bound_peak: int,
    turns: int,
    device: torch.device,
) -> Row:
    peak = warmed_peak(works["own"], device)
    times = take_turns(works, turns, device)
    return ratio_row(name, times["own"], times[BOUND], (peak, bound_peak), {})


def ratio_row(
    name: str,
    own: Sequence[float],
    bound: Sequence[float],
    peaks: tuple[int, int],
    figures: dict[str, Any],
    verdict: Verdict = "measured",
    said: str = "",
) -> Row:
    """Times in turn over those of the bound, and both peaks.

    Args:
        name: of the row.
        own, bound: seconds per turn.
        peaks: bytes, its own and the bound's.
        figures: further ones.
        verdict: of the row.
        said: what else there is to say.
    """
    ratio = statistics.median(a / b for a, b in zip(own, bound, strict=True))
    text = (
        f"{ratio:.2f} × the bound of {1000 * statistics.median(bound):,.1f} ms, "
        f"{peaks[0] / MB:,.0f} MB (first order {peaks[1] / MB:,.0f}){said}"
    )
    own_figures = {
        "time_over_bound": ratio,
        "seconds": list(own),
        "bound_seconds": list(bound),
        "peak_bytes": peaks[0],
        "first_order_peak_bytes": peaks[1],
    }
    return Row(name, text, verdict, {**own_figures, **figures})
