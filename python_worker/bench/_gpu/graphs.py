"""The methods as CUDA graphs: one launch in place of some thousand.

A graph is captured while a method runs once, and replayed with whatever its tensors hold by then.
That needs a run in which the host reads nothing from the device and copies nothing to it, so the
rates of the inner steps are fixed: the walks read them on the host, the oracle on the device. Each
method is captured in a process of its own: a capture that fails may spoil those that follow.
"""

import functools
import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import torch

from stillhouse_worker.distillation.meta_gradient import METHODS, MetaGradient
from stillhouse_worker.distillation.synthetic import DistilledData, Phi, materialise
from stillhouse_worker.learners.encoder import Encoder

from .._meta_problem import BOUND, Case, Setting, setting_of, synthetic_of, work_of
from .._outer_ways import cosine
from .._random_encoders import MINILM, TINY, random_encoder
from .._shared import Work, peak_bytes, take_turns, wait_for
from .device import prepared_device, row_of
from .meta_gradient import TURNS, cases_of, name_of, ratio_row
from .part import Options, Row, Verdict, not_reached, skipped

NAMES = (BOUND, "blockwise", "stepwise", "unrolled")
REPLAY = "replay"
WARM_UPS = 3
LEAST_COSINE = 0.9999
# Verdicts after which a process may not capture, or even end, as it should.
SPOILING: tuple[Verdict, ...] = ("not possible", "out of memory")


def rows(options: Options) -> Iterator[Row]:
    """See `Rows`."""
    if prepared_device(options).type != "cuda":
        yield skipped(", ".join(METHODS), "CUDA graphs need CUDA")
        return
    for done, name in enumerate(NAMES):
        left = options.seconds_left()
        if left < 0:
            yield not_reached(len(NAMES) - done)
            return
        yield from _in_own_process(name, options, left / (len(NAMES) - done))


def _in_own_process(name: str, options: Options, limit_s: float) -> Iterator[Row]:
    own = options._replace(deadline=options.deadline - options.seconds_left() + 0.9 * limit_s)
    command = [sys.executable, "-m", __spec__.name, name, json.dumps(own._asdict())]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        try:
            exit_code = subprocess.run(command, stdout=output, timeout=limit_s).returncode
            why = f"its process ended with exit code {exit_code}" if exit_code else ""
        except subprocess.TimeoutExpired:
            why = f"ended after {limit_s:.0f} s"
        output.seek(0)
        found = [Row(**json.loads(line)) for line in output if line.endswith("\n")]
    yield from found
    if why and not (found and found[-1].verdict in SPOILING):
        yield Row(name, why, "failed", {})


def main() -> None:
    """Capture one method in all cases; one line of JSON per row on stdout."""
    name, given = sys.argv[1:]
    options = Options(**json.loads(given))
    device = prepared_device(options)
    gc.freeze()
    encoder = random_encoder(TINY if options.is_tiny else MINILM, device)
    cases = cases_of(options.is_tiny)
    for done, case in enumerate(cases):
        if options.seconds_left() < 0:
            _write(not_reached(len(cases) - done))
            return
        title = name_of(case, f"{name}, graph")
        row = row_of(title, functools.partial(_row, title, name, case, encoder, device))
        _write(row)
        if row.verdict in SPOILING:
            return  # the larger cases would not fit either, and others could not be captured


def _write(row: Row) -> None:
    print(json.dumps(row._asdict()), flush=True)


def _row(title: str, name: str, case: Case, encoder: Encoder, device: torch.device) -> Row:
    setting = _with_fixed_rates(setting_of(case, encoder), case, name)
    works = {BOUND: work_of(setting, BOUND), name: work_of(setting, name)}
    _warm_up(works[name], device)
    bound_peak = peak_bytes(works[BOUND], device)
    try:
        graph, result, pool_bytes = _captured(works[name], device)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        return Row(title, _said(error), "not possible", {})
    near = _cosine_of_replay(graph, result, works[name], setting, device)
    times = take_turns({**works, REPLAY: graph.replay}, TURNS, device)
    figures = {"cosine": near, "eager_seconds": times[name]}
    said = "" if near is None else f", cosine {near:.6f} with eager on other data"
    verdict = "measured" if near is None else "passed" if near >= LEAST_COSINE else "failed"
    peaks = (pool_bytes, bound_peak)
    return ratio_row(title, times[REPLAY], times[BOUND], peaks, figures, verdict, said)


def _with_fixed_rates(setting: Setting, case: Case, name: str) -> Setting:
    """The same rates, of which nothing is copied while the method runs."""
    config = synthetic_of(case)._replace(learn_lr="per_step")
    some = setting.phi["x"]
    log_rates = torch.full((case.T,), config.lr, dtype=some.dtype, device=some.device).log()
    on_host = log_rates.exp().cpu()

    def data_of(phi: Phi) -> DistilledData:
        data = materialise(config, {**phi, "log_lr": log_rates})
        return data if name in (BOUND, "unrolled") else data._replace(lrs=on_host)

    return setting._replace(problem=setting.problem._replace(materialise=data_of))


def _warm_up(work: Work, device: torch.device) -> None:
    """On a stream of its own, as PyTorch asks for before a capture."""
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(WARM_UPS):
            work()
    torch.cuda.current_stream(device).wait_stream(side)
    wait_for(device)


def _captured(work: Work, device: torch.device) -> tuple[torch.cuda.CUDAGraph, Any, int]:
    """The graph, the result whose tensors a replay fills anew, and the memory that it holds."""
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved(device)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()
    wait_for(device)
    return graph, result, torch.cuda.memory_reserved(device) - before


def _cosine_of_replay(
    graph: torch.cuda.CUDAGraph,
    result: MetaGradient | None,
    work: Callable[[], Any],
    setting: Setting,
    device: torch.device,
) -> float | None:
    """With the gradient without a graph, at other data than it was captured with."""
    if result is None:  # of the bound, which returns nothing
        return None
    with torch.no_grad():
        setting.phi["x"].mul_(1.1)
    graph.replay()
    wait_for(device)
    replayed = {name: grad.clone() for name, grad in result.grads.items()}
    return cosine(replayed, work().grads)


def _said(error: BaseException) -> str:
    """The error, behind what led to it: the end of a failed capture raises one of its own."""
    chain = [each for each in (error.__context__, error) if each is not None]
    firsts = [(str(each).splitlines() or [""])[0][:120] for each in chain]
    return f"cannot be captured: {'; then '.join(firsts)}"


if __name__ == "__main__":
    main()
