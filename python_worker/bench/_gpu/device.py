"""The device that a part computes on, what it is, and what becomes of it without memory."""

import gc
import platform
import sys
import traceback
from collections.abc import Callable
from typing import Any

import torch

from stillhouse_worker.devices.facts import cpu_name

from .part import Options, Row

# Letters of an error in a row.
MOST_SAID = 160


def prepared_device(options: Options) -> torch.device:
    """The device of the options, on which fp32 is fp32: no product is rounded to TF32.

    Raises:
        RuntimeError: there is no such device.
    """
    wanted = options.device
    has_cuda = torch.cuda.is_available()
    if wanted == "auto":
        # At its full size it would take hours, and more memory than most machines have.
        wanted = "cuda" if has_cuda or not options.is_tiny else "cpu"
    if wanted == "cuda" and not has_cuda:
        raise RuntimeError("PyTorch sees no CUDA device on this machine; --tiny runs on a CPU")
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda", 0) if wanted == "cuda" else torch.device("cpu")


def machine_facts(device: torch.device) -> dict[str, Any]:
    """Chip, driver and versions."""
    facts: dict[str, Any] = {
        "device": str(device),
        "chip": cpu_name(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cpu": cpu_name(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "chip": properties.name,
            "memory_bytes": properties.total_memory,
            "capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
            "driver": _driver(),
        }
    return facts


def _driver() -> str | None:
    try:
        import pynvml

        pynvml.nvmlInit()
        version = pynvml.nvmlSystemGetDriverVersion()
    except Exception:  # no NVML: it is only a line of the report
        return None
    return version.decode() if isinstance(version, bytes) else str(version)


def row_of(case: str, measure: Callable[[], Row]) -> Row:
    """The row, or one that says what went wrong, so that the others are measured all the same."""
    try:
        return measure()
    except torch.OutOfMemoryError as error:
        row = Row(case, _said(error), "out of memory", {})
    except Exception as error:
        trace = traceback.format_exc()
        print(trace, file=sys.stderr)
        row = Row(case, _said(error), "failed", {"traceback": trace.splitlines()})
    # Only here the frames of the error, and with them their tensors, are gone.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return row


def _said(error: Exception) -> str:
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:MOST_SAID]}"
