"""What the benchmarks have in common: taking turns, peak memory, notes on stderr."""

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

CPU = torch.device("cpu")


def take_turns(
    works: Mapping[str, Work], repetitions: int, device: torch.device = CPU
) -> dict[str, list[float]]:
    """Seconds of each work, ``repetitions`` times in turn, after one turn that warms up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repetitions + 1):
        for name, work in works.items():
            gc.collect()
            seconds = seconds_of(work, device)
            if turn > 0:
                times[name].append(seconds)
        note(f"  turn {turn} of {repetitions}", end="\r")
    return times


def seconds_of(work: Work, device: torch.device = CPU) -> float:
    """Seconds until ``work`` is done, on a GPU too, whose kernels run behind its calls."""
    wait_for(device)
    started = time.perf_counter()
    work()
    wait_for(device)
    return time.perf_counter() - started


def wait_for(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(work: Work, device: torch.device = CPU) -> int:
    """The most memory that ``work`` takes beyond what is held before.

    On a CPU it is that of the process, by glibc; on a GPU what its tensors hold, by PyTorch.
    """
    gc.collect()
    if device.type == "cuda":
        return _cuda_peak_bytes(work, device)
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what was freed does not count as held
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
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
    """The most that the CPU tensors which ``work`` makes hold at a time.

    Less than `peak_bytes` by what the heap loses between them, and what libraries take.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    results = profiler.profiler
    assert results is not None
    events = [e for e in results.kineto_results.events() if e.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return max(itertools.accumulate(event.nbytes() for event in events))


def free_bytes() -> int:
    """Memory of the machine that is free; Linux."""
    return _entry("/proc/meminfo", "MemAvailable")


def note(text: str, end: str = "\n") -> None:
    """A line of progress on stderr; one that is overwritten only where there is a terminal."""
    if end == "\n" or sys.stderr.isatty():
        print(text, file=sys.stderr, end=end, flush=True)


def _entry(path: str, key: str) -> int:
    for line in Path(path).read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)
