"""The devices of this machine, their names and capabilities."""

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from ..errors import StillhouseError

_FIELD = "compute.device"
# Files by which Linux programs speak with the driver of a GPU: NVIDIA's, that of Tegra, ROCm's, and
# that of Windows under WSL.
_GPU_FILES = ("nvidia*", "nvmap", "kfd", "dxg")
# As Linux calls them on x86-64 (the first two) and on Arm.
_CPU_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


class DeviceFacts(NamedTuple):
    """A device of this machine.

    Attributes:
        device: "cpu" or "cuda:N".
        name: of the processor.
        cuda: whether it is a CUDA device.
        bf16: whether it computes bfloat16 natively; emulated is slower than fp32, so it is False.
        num_available: devices that can share its work, itself among them: the CUDA devices from
            this one on; for the CPU, threads.
        memory_bytes: of a CUDA device; 0 for the CPU, whose memory the host shares out.
    """

    device: str
    name: str
    cuda: bool
    bf16: bool
    num_available: int
    memory_bytes: int


def find_device(wanted: str | None) -> DeviceFacts:
    """The device of that name.

    Args:
        wanted: "cpu", "cuda" or "cuda:N"; None takes the first CUDA device, or else the CPU.

    Raises:
        StillhouseError: invalid, for another name or a device that is not there.
    """
    if wanted is None:
        wanted = "cuda" if num_cuda_devices() > 0 else "cpu"
    kind, _, index = wanted.partition(":")
    if wanted == "cpu":
        return DeviceFacts("cpu", cpu_name(), False, cpu_computes_bf16(), num_cpu_threads(), 0)
    if kind != "cuda" or (":" in wanted and not (index.isascii() and index.isdigit())):
        raise _invalid(f"{_FIELD} must be cpu, cuda or cuda:N, got {wanted!r}")
    num_devices = num_cuda_devices()
    number = int(index or 0)
    if number >= num_devices:
        present = ["cpu", *(f"cuda:{other}" for other in range(num_devices))]
        raise _invalid(f"{_FIELD} {wanted!r} is not on this machine; it has {', '.join(present)}")
    return _cuda_facts(number)


def all_devices() -> list[DeviceFacts]:
    """The CPU and every CUDA device of this machine."""
    return [find_device("cpu"), *(_cuda_facts(number) for number in range(num_cuda_devices()))]


def num_cuda_devices() -> int:
    """CUDA devices that PyTorch can use."""
    # Without the file of a driver there is none, and PyTorch takes seconds to say so.
    if sys.platform == "linux" and not any(any(Path("/dev").glob(name)) for name in _GPU_FILES):
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _cuda_facts(number: int) -> DeviceFacts:
    import torch

    # From Ampere on; PyTorch's own function only answers for the current device.
    native_bf16 = torch.version.hip is not None or torch.cuda.get_device_capability(number)[0] >= 8
    name = torch.cuda.get_device_name(number)
    num_available = torch.cuda.device_count() - number
    memory_bytes = torch.cuda.get_device_properties(number).total_memory
    return DeviceFacts(f"cuda:{number}", name, True, native_bf16, num_available, memory_bytes)


def cpu_computes_bf16() -> bool:
    """Whether the CPU has instructions for bfloat16 products (AVX512-BF16, AMX, or Arm's BF16)."""
    return not _CPU_BF16_FLAGS.isdisjoint(_cpu_info("flags", "Features").split())


def cpu_name() -> str:
    """Model of the CPU and how many of its threads this process may use."""
    model = _cpu_info("model name") or platform.processor() or platform.machine()
    return f"{model}, {num_cpu_threads()} threads"


def num_cpu_threads() -> int:
    """Threads of the CPU that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def require_compiler() -> None:
    """Raise unless there is a C++ compiler, which `torch.compile` needs on every device.

    Raises:
        StillhouseError: ``environment``.
    """
    if not any(map(shutil.which, ("g++", "clang++"))):
        raise StillhouseError(
            "environment",
            "--compile needs a C++ compiler, and neither g++ nor clang++ is here; "
            "on Debian: apt-get install g++",
            field="outer.compile",
        )


def _cpu_info(*keys: str) -> str:
    """First value of one of ``keys`` in Linux's /proc/cpuinfo; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() in keys), "")


def _invalid(message: str) -> StillhouseError:
    return StillhouseError("invalid", message, field=_FIELD)
