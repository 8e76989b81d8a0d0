"""Autocast for first-order work; parameters and updates stay fp32."""

from contextlib import AbstractContextManager
from typing import Literal, get_args

import torch

Precision = Literal["fp32", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def low_dtype(precision: Precision) -> torch.dtype:
    """The type of the products, for a precision other than fp32."""
    return _DTYPES[precision]


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Matrix products in ``precision`` inside the context; nothing changes for fp32."""
    dtype = _DTYPES.get(precision, torch.bfloat16)
    return torch.autocast(device.type, dtype, enabled=precision != "fp32")
