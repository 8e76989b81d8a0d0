"""Energy that a machine has spent, where it reports it: by RAPL for processors, NVML for GPUs."""

from pathlib import Path
from typing import NamedTuple

import torch

_POWERCAP = Path("/sys/class/powercap")
_RANGE = "max_energy_range_uj"
_MICRO = 1e-6


class EnergyMeter:
    """Runs from its creation on. What other processes spend meanwhile is counted too.

    Args:
        device: "cpu" or "cuda:N"; the energy of a GPU is added to that of the processors.
        powercap: where the kernel shows the counters of RAPL. Most systems let only root read them.
    """

    def __init__(self, device: str, powercap: Path = _POWERCAP) -> None:
        self._device, self._powercap = device, powercap
        self._packages = _packages(powercap)
        self._gpu = _gpu_joules(device)

    def joules(self) -> float | None:
        """Joules spent so far; None where a processor, or the GPU in use, does not report them."""
        now = _packages(self._powercap)
        if not self._packages or now.keys() != self._packages.keys():
            return None
        spent = sum(now[name].since(before) for name, before in self._packages.items())
        if not self._device.startswith("cuda"):
            return spent
        gpu = _gpu_joules(self._device)
        return None if gpu is None or self._gpu is None else spent + gpu - self._gpu


class _Counter(NamedTuple):
    """A counter of RAPL, in microjoules; after its range it begins again at 0."""

    value: int
    range: int

    def since(self, before: "_Counter") -> float:
        """Joules; at most one turn of the counter, of an hour or more, is seen."""
        difference = self.value - before.value
        return (difference if difference >= 0 else difference + self.range) * _MICRO


def _packages(powercap: Path) -> dict[str, _Counter]:
    """The counters of the processors' packages, whose parts are within them."""
    counters = {}
    for folder in sorted(powercap.glob("intel-rapl:*")):
        if folder.name.count(":") > 1:
            continue
        try:
            values = [int((folder / name).read_text()) for name in ("energy_uj", _RANGE)]
        except (OSError, ValueError):
            return {}  # without one of them the sum would be too small
        counters[folder.name] = _Counter(*values)
    return counters


def _gpu_joules(device: str) -> float | None:
    """Since the driver was loaded, by NVML."""
    if not device.startswith("cuda"):
        return None
    try:
        import pynvml

        pynvml.nvmlInit()
        # NVML numbers devices without regard to CUDA_VISIBLE_DEVICES.
        uuid = torch.cuda.get_device_properties(torch.device(device)).uuid
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000
    except Exception:  # no NVML, or a GPU from before it counted: it is only a column
        return None
