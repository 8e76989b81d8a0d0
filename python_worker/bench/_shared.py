"""What the benchmarks have in common: taking turns, peak memory, notes on stderr."""

import ctypes
import gc
import itertools
import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

Work = Callable[[], object]


def take_turns(
    works: Mapping[str, Work], repetitions: int, seconds: float = math.inf
) -> dict[str, list[float]]:
    """Seconds of each work, ``repetitions`` times in turn, after one turn that warms up.

    No turn starts that would probably end after ``seconds``. Where that leaves only the first turn,
    it counts: a cold start is nothing beside work that long.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    begun = time.perf_counter()
    for turn in range(repetitions + 1):
        for name, work in works.items():
            gc.collect()
            started = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - started)
        note(f"  turn {turn} of {repetitions}", end="\r")
        if (time.perf_counter() - begun) * (turn + 2) / (turn + 1) > seconds:
            break
    return {name: own[1:] or own for name, own in times.items()}


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
