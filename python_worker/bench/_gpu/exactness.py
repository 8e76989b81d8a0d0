"""The three methods on the device: in float64 against each other and a CPU, in float32 against it.

The small problem is that of the tests: its error in float32 is compared with what one rounding of
the inputs does to the exact gradient. A second one has the shape of MiniLM.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from stillhouse_worker.distillation.meta_gradient import METHODS, unrolled
from stillhouse_worker.learners.encoder import Encoder
from stillhouse_worker.learners.encoder_config import POOLINGS

from .._meta_problem import Case, setting_of, work_of
from .._outer_ways import cosine
from .._random_encoders import MINILM, TINY, random_encoder
from .._small_problem import PAIRS, Combination, distance_of, most_noise, problem, rounding_noise
from .device import prepared_device
from .part import Options, Row, judged, not_reached

# Sums in another order move float64 in its last digits.
DIGITS = 1e-10
# Of the gradients of all combinations, none may be twice as far off as those of the oracle.
MOST_OF_ORACLE = 2.0
OTHERS = [name for name in METHODS if name != "unrolled"]


def rows(options: Options) -> Iterator[Row]:
    """See `Rows`."""
    device = prepared_device(options)
    chosen = PAIRS[:4] if options.is_tiny else PAIRS
    encoder = random_encoder(TINY, device)
    combinations = {each: _pooled(encoder, index) for index, each in enumerate(chosen)}
    exact = {each: unrolled(*problem(own, *each)).grads for each, own in combinations.items()}
    yield _oracle_row(combinations, exact)
    for name in OTHERS:
        yield _float64_row(name, combinations, exact)
    yield from _float32_rows(combinations, exact)
    if options.seconds_left() < 0:
        yield not_reached(len(METHODS))
        return
    yield from _shape_rows(options.is_tiny, device)


def _pooled(encoder: Encoder, index: int) -> Encoder:
    pooling = POOLINGS[index % len(POOLINGS)]
    return encoder._replace(config=encoder.config._replace(pooling=pooling))


Encoders = dict[Combination, Encoder]
Exact = dict[Combination, dict[str, Tensor]]


def _oracle_row(encoders: Encoders, exact: Exact) -> Row:
    cpu = torch.device("cpu")
    gaps = []
    for each, encoder in encoders.items():
        grads = unrolled(*problem(encoder.to(cpu), *each)).grads
        gaps.append(_gap({name: tensor.cpu() for name, tensor in exact[each].items()}, grads))
    return _gap_row("unrolled, float64, against a CPU", gaps)


def _float64_row(name: str, encoders: Encoders, exact: Exact) -> Row:
    gaps = [
        _gap(METHODS[name](*problem(encoder, *each)).grads, exact[each])
        for each, encoder in encoders.items()
    ]
    return _gap_row(f"{name}, float64, against unrolled", gaps)


def _gap(grads: dict[str, Tensor], exact: dict[str, Tensor]) -> float:
    size = torch.stack([tensor.norm() for tensor in exact.values()]).norm().item()
    return distance_of(grads, exact) / size


def _gap_row(case: str, gaps: list[float]) -> Row:
    said = f"largest relative gap {max(gaps):.1e} in {len(gaps)} combinations (at most {DIGITS:g})"
    return judged(case, said, max(gaps) <= DIGITS, {"relative_gaps": gaps})


def _float32_rows(encoders: Encoders, exact: Exact) -> Iterator[Row]:
    noise = {each: rounding_noise(own, each, exact[each]) for each, own in encoders.items()}
    distances = {
        name: [_float32_distance(name, own, each, exact[each]) for each, own in encoders.items()]
        for name in METHODS
    }
    for name, own in distances.items():
        times = [gap / noise[each] for gap, each in zip(own, encoders, strict=True)]
        of_oracle = _geometric_mean(own, distances["unrolled"])
        fits = all(
            value <= most_noise(each.num_steps) for value, each in zip(times, encoders, strict=True)
        )
        said = f"at most {max(times):.1f} × the noise of rounding, {of_oracle:.2f} × the oracle's"
        figures = {"times_noise": times, "times_oracle": of_oracle}
        holds = fits and of_oracle <= MOST_OF_ORACLE
        yield judged(f"{name}, float32, against float64", said, holds, figures)


def _float32_distance(
    name: str, encoder: Encoder, each: Combination, exact: dict[str, Tensor]
) -> float:
    grads = METHODS[name](*problem(encoder, *each, dtype=torch.float32)).grads
    return distance_of(grads, exact)


def _geometric_mean(values: list[float], others: list[float]) -> float:
    logs = [math.log(value / other) for value, other in zip(values, others, strict=True)]
    return math.exp(sum(logs) / len(logs))


def _shape_rows(is_tiny: bool, device: torch.device) -> Iterator[Row]:
    """Float32 against the oracle in float64, three inner steps."""
    shape, length = (TINY, 4) if is_tiny else (MINILM, 64)
    encoder = random_encoder(shape, device)
    case = Case(3, length, "cls", "fp32", 2048, 4096)
    exact = work_of(setting_of(case, encoder, torch.float64), "unrolled")().grads
    setting = setting_of(case, encoder)
    for name in METHODS:
        grads = work_of(setting, name)().grads
        near, gap = cosine(grads, exact), _gap(grads, exact)
        said = f"relative gap {gap:.1e}, cosine {near:.6f}"
        title = f"{name}, float32, shape of {'a tiny encoder' if is_tiny else 'MiniLM'}, T = 3"
        yield judged(title, said, near > 0.9999, {"relative_gap": gap, "cosine": near})
