"""Shared by the benchmarks: taking turns, peak memory, notes on stderr."""

import ctypes
import gc
import itertools
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

Work = Callable[[], object]
# Such as `time.perf_counter`, or `time.process_time` for what the process has of the processors.
Clock = Callable[[], float]

CPU = torch.device("cpu")


def take_turns(
    works: Mapping[str, Work],
    repetitions: int,
    device: torch.device = CPU,
    clock: Clock = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each work, measured ``repetitions`` times in turn after one warm-up turn."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repetitions + 1):
        for name, work in works.items():
            gc.collect()
            seconds = seconds_of(work, device, clock)
            if turn > 0:
                times[name].append(seconds)
        note(f"  turn {turn} of {repetitions}", end="\r")
    return times


def seconds_of(work: Work, device: torch.device = CPU, clock: Clock = time.perf_counter) -> float:
    """Seconds until ``work`` is done, on a GPU including the kernels that run asynchronously."""
    wait_for(device)
    started = clock()
    work()
    wait_for(device)
    return clock() - started


def wait_for(device: torch.device) -> None:
    """Wait until the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(work: Work, device: torch.device = CPU) -> int:
    """Peak memory of ``work`` in bytes beyond what was held before.

    On a CPU it is that of the process, by glibc; on a GPU what its tensors hold, by PyTorch.
    """
    gc.collect()
    if device.type == "cuda":
        return _cuda_peak_bytes(work, device)
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what was freed does not count as held
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    before = _entry("/proc/self/status", "VmRSS")
    work()
    return _entry("/proc/self/status", "VmHWM") - before


def _cuda_peak_bytes(work: Work, device: torch.device) -> int:
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    work()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def live_peak_bytes(work: Work) -> int:
    """Peak number of bytes held at a time by the CPU tensors that ``work`` makes.

    `peak_bytes` is larger by what the heap loses between tensors and by what libraries take.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    results = profiler.profiler
    assert results is not None
    events = [e for e in results.kineto_results.events() if e.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return max(itertools.accumulate(event.nbytes() for event in events))


def free_bytes() -> int:
    """Free memory of the machine in bytes; Linux."""
    return _entry("/proc/meminfo", "MemAvailable")


def note(text: str, end: str = "\n") -> None:
    """Write a line of progress to stderr; one to be overwritten only if stderr is a terminal."""
    if end == "\n" or sys.stderr.isatty():
        print(text, file=sys.stderr, end=end, flush=True)


def _entry(path: str, key: str) -> int:
    for line in Path(path).read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)
