"""Measured peaks against what is expected, of tasks and of what the methods keep.

What a task is given is computed in TypeScript (`src/settings/memory.ts`); `expected_memory.json`
has its answers for the tasks that are measured here, and a test keeps the two equal.
"""

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from stillhouse_worker.distillation.meta_gradient import METHODS
from stillhouse_worker.distillation.meta_gradient.block_values import (
    Block,
    kept_numel,
    narrow_numel,
)
from stillhouse_worker.distillation.meta_gradient.trajectory import num_copies, spacing
from stillhouse_worker.learners.encoder import Encoder
from stillhouse_worker.learners.transformer import block_params

from .._meta_problem import Case, Setting, setting_of, theta_bytes
from .._outer_loops import LoopSettings, outer_loop
from .._outer_ways import drawn_texts
from .._random_encoders import DISTILBERT, MINILM, TINY, random_encoder
from .._shared import peak_bytes
from .device import prepared_device, row_of
from .part import Options, Row, judged, not_reached

EXPECTED = Path(__file__).with_name("expected_memory.json")
SHAPES = {"distilbert": DISTILBERT, "minilm": MINILM}
MIB = 2**20
FP32_BYTES = 4


def rows(options: Options) -> Iterator[Row]:
    """See `Rows`."""
    device = prepared_device(options)
    measures = [*_tasks(options.is_tiny, device), *_kept(options.is_tiny, device)]
    for done, (case, measure) in enumerate(measures):
        if options.seconds_left() < 0:
            yield not_reached(len(measures) - done)
            return
        yield row_of(case, measure)


Measures = Iterator[tuple[str, Callable[[], Row]]]


def _tasks(is_tiny: bool, device: torch.device) -> Measures:
    for task in json.loads(EXPECTED.read_text("utf-8"))["tasks"]:
        if is_tiny:
            task |= {"model": "a tiny encoder", "S": 6, "batch_size": 4, "expected_mib": 0}
        name, sizes = task["model"], f"T = {task['T']}, S = {task['S']}, {task['batch_size']} texts"
        case = f"task: {name}, {task['method']}, {sizes}"
        yield case, functools.partial(_task_row, case, task, is_tiny, device)
        if is_tiny:
            return


def _task_row(case: str, task: Mapping[str, Any], is_tiny: bool, device: torch.device) -> Row:
    """The peak of two outer steps whose texts are as long as any."""
    shape = TINY if is_tiny else SHAPES[task["model"]]
    encoder = random_encoder(shape, device)
    length = shape.max_positions
    texts = drawn_texts(2 * task["batch_size"], length, shape.num_tokens, mean_length=10 * length)
    settings = LoopSettings(
        task["S"], task["batch_size"], 100, task["method"], T=task["T"], outer="fp16", inner_lr=0.01
    )

    def work() -> None:
        loop = outer_loop(encoder, texts, settings)
        for _ in range(2):
            loop.advance()

    held = _held(encoder)
    peak = peak_bytes(work, device)
    reserved, context = _reserved_and_context(device)
    total, expected = held + peak + context, task["expected_mib"] * MIB
    said = (
        f"{_mib(total)} of {_mib(expected)} expected; of that context {_mib(context)}; "
        f"with what PyTorch keeps free {_mib(context + reserved)}"
    )
    figures = {
        "expected_bytes": expected,
        "measured_bytes": total,
        "context_bytes": context,
        "reserved_bytes": reserved,
    }
    if is_tiny:
        return Row(case, said, "measured", figures)
    return judged(case, said, total <= expected, figures)


def _held(encoder: Encoder) -> int:
    tensors = [*encoder.blocks.values(), *encoder.embeddings.parameters()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _reserved_and_context(device: torch.device) -> tuple[int, int]:
    """The most that PyTorch took from the device, and what the process holds besides; of a GPU."""
    if device.type == "cpu":
        return 0, 0
    reserved = torch.cuda.max_memory_reserved(device)
    now = torch.cuda.memory_reserved(device)
    free, total = torch.cuda.mem_get_info(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return reserved, max(0, total - free - now)


def _kept(is_tiny: bool, device: torch.device) -> Measures:
    """What inner steps keep: values of blocks, and copies of theta on the device and the host."""
    encoder = random_encoder(TINY if is_tiny else MINILM, device)
    steps, length = (4, 6) if is_tiny else (10, 512)
    for keep in ("narrow", "all"):
        case = f"values of {steps} inner steps, S = {length}, {keep}"
        yield case, functools.partial(_values_row, case, keep, steps, length, encoder)
    for where in ("device", "host"):
        case = f"copies of theta on the {where}, T = {steps}"
        yield case, functools.partial(_copies_row, case, where, steps, encoder)


def _values_row(case: str, keep: str, steps: int, length: int, encoder: Encoder) -> Row:
    device = next(iter(encoder.blocks.values())).device
    setting = setting_of(Case(steps, length, "cls", "fp32", 2**20, 0), encoder)
    expected = steps * _step_bytes(setting, keep)
    least, more = (
        peak_bytes(_method("blockwise", setting, activation_bytes=room), device)
        for room in (0, expected)
    )
    figures = {"expected_bytes": expected, "least_bytes": least, "peak_bytes": more}
    said = f"{_mib(more - least)} more than the {_mib(least)} without, of {_mib(expected)} allowed"
    return Row(case, said, "measured", figures)


def _step_bytes(setting: Setting, keep: str) -> int:
    """As the method counts them before it keeps anything."""
    problem, data = setting.problem, setting.problem.materialise(setting.phi)
    loss, labels, total = problem.inner_loss, data.attention_labels, 0
    assert labels is not None
    for index in range(loss.config.num_layers):
        target = labels.of_block(index)
        is_last = index == loss.config.num_layers - 1
        block = Block(loss.config, loss.precision, is_last, loss.attention_weight(target))
        params = block_params(setting.theta, index)
        total += (
            narrow_numel(block, data.x)
            if keep == "narrow"
            else kept_numel(block, params, data.x, target, is_masked=False)
        )
    return total * FP32_BYTES


def _copies_row(case: str, where: str, steps: int, encoder: Encoder) -> Row:
    """The peak with all copies on the device, against that with few, or with most on the host."""
    device = next(iter(encoder.blocks.values())).device
    setting = setting_of(Case(steps, 6, "cls", "fp32", 2**20, 0), encoder)
    copy, few = theta_bytes(setting), 2
    host = (steps - few) * copy if where == "host" else 0
    fewer = {"trajectory_bytes": few * copy, "host_bytes": host}
    fewest = few if host else num_copies(steps, spacing(steps, few))
    peaks = [peak_bytes(_method("stepwise", setting, **given), device) for given in ({}, fewer)]
    whole, other = (_method("stepwise", setting, **given)().grads for given in ({}, fewer))
    is_equal = all(torch.equal(whole[name], other[name]) for name in whole)
    saved, expected = peaks[0] - peaks[1], (steps - fewest) * copy
    figures = {"expected_bytes": expected, "saved_bytes": saved, "equal": is_equal}
    said = (
        f"{_mib(saved)} saved of {_mib(expected)} expected; "
        f"the gradient is {'the same to the bit' if is_equal else 'another one'}"
    )
    return judged(case, said, is_equal, figures)


def _method(name: str, setting: Setting, **given: int) -> Callable[[], Any]:
    problem = setting.problem._replace(**given)
    return lambda: METHODS[name](problem, setting.phi, setting.theta)


def _mib(num_bytes: int) -> str:
    return f"{num_bytes / MIB:,.0f} MiB"
