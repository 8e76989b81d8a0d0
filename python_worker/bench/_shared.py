"""What the benchmarks have in common: taking turns, peak memory, notes on stderr."""

import ctypes
import gc
import itertools
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

Work = Callable[[], object]


def take_turns(works: Mapping[str, Work], repetitions: int) -> dict[str, list[float]]:
    """Seconds of each work, ``repetitions`` times in turn, after one turn that warms up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repetitions + 1):
        for name, work in works.items():
            gc.collect()
            started = time.perf_counter()
            work()
            if turn > 0:
                times[name].append(time.perf_counter() - started)
        note(f"  turn {turn} of {repetitions}", end="\r")
    return times


def peak_bytes(work: Work) -> int:
    """The most memory that ``work`` takes beyond what the process holds before; glibc."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what was freed does not count as held
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = _entry("/proc/self/status", "VmRSS")
    work()
    return _entry("/proc/self/status", "VmHWM") - before


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
