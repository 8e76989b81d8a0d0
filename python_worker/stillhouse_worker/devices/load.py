"""The memory use and utilisation of a device, by all processes."""

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
import torch

_CGROUPS = Path("/sys/fs/cgroup")


class DeviceLoad(NamedTuple):
    """The state of a device at one time; a value is 0 where it is not known.

    Attributes:
        memory_total_bytes: of a CPU, what this process may use of the host's memory.
        memory_used_bytes: by all processes.
        utilisation: share of the time since it was last asked, 0 to 1. Of a CPU, over the threads
            that this process may run on; of a GPU, the share in which a kernel ran.
    """

    memory_total_bytes: int
    memory_used_bytes: int
    utilisation: float


UNKNOWN = DeviceLoad(0, 0, 0.0)


def load_meter(device: str) -> Callable[[], DeviceLoad]:
    """A function that returns the load of "cpu" or "cuda:N" at each call and never raises."""
    return _CudaMeter(torch.device(device)) if device.startswith("cuda") else _CpuMeter()


def give_back_memory(device: str) -> None:
    """Release memory that PyTorch caches, between tasks, for other processes on the device."""
    if device.startswith("cuda"):
        gc.collect()
        torch.cuda.empty_cache()


class _CpuMeter:
    """By psutil and the cgroup of the process, as far as the system reports them."""

    def __init__(self) -> None:
        self._busy, self._all = _cpu_seconds()

    def __call__(self) -> DeviceLoad:
        busy, every = _cpu_seconds()
        passed = every - self._all
        share = (busy - self._busy) / passed if passed > 0 else 0.0
        self._busy, self._all = busy, every
        return DeviceLoad(*_memory(), min(max(share, 0.0), 1.0))


class _CudaMeter:
    """By NVML, which unlike the CUDA runtime takes no memory on the device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __call__(self) -> DeviceLoad:
        try:
            total = torch.cuda.get_device_properties(self._device).total_memory
            used = torch.cuda.device_memory_used(self._device)
            return DeviceLoad(total, used, torch.cuda.utilization(self._device) / 100)
        except Exception:  # a driver without NVML, or one that is being replaced: tasks continue
            return UNKNOWN


def _cpu_seconds() -> tuple[float, float]:
    """Seconds in which the CPUs of this process worked, and all seconds, since the host started."""
    busy = every = 0.0
    try:
        of_host = psutil.cpu_times(percpu=True)
        own = os.sched_getaffinity(0)
    except (OSError, AttributeError):
        return 0.0, 0.0
    for index, times in enumerate(of_host):
        if index in own:
            # What guests take, user and nice have already.
            total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
            every += total
            busy += total - times.idle - getattr(times, "iowait", 0.0)
    return busy, every


def limiting_cgroup() -> Path | None:
    """The folder of the cgroup (version 2) whose limit of memory is below the host's, if any."""
    try:
        limit = _limit(folder := _own_cgroup())
        return folder if 0 < limit < psutil.virtual_memory().total else None
    except (OSError, ValueError):  # no cgroup, of version 1, or without a limit: "max"
        return None


def _memory() -> tuple[int, int]:
    """Bytes of memory that this process may use, and how many of them are in use."""
    try:
        host = psutil.virtual_memory()
    except OSError:
        return 0, 0
    limit, used = _cgroup_memory()
    return (limit, used) if 0 < limit < host.total else (host.total, host.total - host.available)


def _cgroup_memory() -> tuple[int, int]:
    """Limit of the cgroup (version 2), and its memory in use without files that can be dropped."""
    try:
        folder = _own_cgroup()
        limit = _limit(folder)
        used = int((folder / "memory.current").read_text("ascii"))
        lines = (folder / "memory.stat").read_text("ascii").splitlines()
    except (OSError, ValueError):  # no cgroup, of version 1, or without a limit: "max"
        return 0, 0
    sizes = dict(line.split() for line in lines)
    droppable = int(sizes.get("inactive_file", 0))
    return limit, max(0, used - droppable)


def _own_cgroup() -> Path:
    groups = (Path(psutil.PROCFS_PATH) / "self" / "cgroup").read_text("ascii")
    return _CGROUPS / groups.rpartition("::")[2].strip().lstrip("/")


def _limit(cgroup: Path) -> int:
    return int((cgroup / "memory.max").read_text("ascii"))
