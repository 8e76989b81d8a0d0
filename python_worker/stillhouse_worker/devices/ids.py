"""What tells a machine and its devices from all others, in whatever container a worker runs."""

import socket
from pathlib import Path

from .facts import num_cuda_devices
from .load import limiting_cgroup

# The kernel makes it at random when it starts. A machine-id file would be that of an image, and
# names of hosts repeat.
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def machine_id(boot_id: Path = _BOOT_ID) -> str:
    """The same for all processes of a running kernel; elsewhere than on Linux the host's name."""
    try:
        return boot_id.read_text("ascii").strip()
    except (OSError, ValueError):
        return socket.gethostname()


def device_ids() -> dict[str, str]:
    """Of the CPU and each CUDA device that this process sees, by the name that it has for it.

    A GPU has its UUID. Processes share the memory of a CPU with all others of the machine, or with
    those of a cgroup that limits it.
    """
    own = f"cpu of {machine_id()}"
    cgroup = limiting_cgroup()
    ids = {"cpu": own if cgroup is None else f"{own}, cgroup {cgroup.stat().st_ino}"}
    for number in range(num_cuda_devices()):
        if uuid := _uuid(number):
            ids[f"cuda:{number}"] = f"GPU-{uuid}"
    return ids


def _uuid(number: int) -> str:
    """Empty where the driver tells none."""
    import torch

    return str(getattr(torch.cuda.get_device_properties(number), "uuid", ""))
