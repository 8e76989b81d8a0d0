"""Whether the weights of a model folder are finite, without PyTorch, whose import takes seconds."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .files import find_weights, own_name
from .refusal import refuse

# By the name of a type in safetensors: integers of its width, and the bits of the exponent, all of
# which are set in infinities and NaN alone.
_EXPONENTS: Mapping[str, tuple[np.dtype[Any], int]] = {
    "F64": (np.dtype("<u8"), 0x7FF0_0000_0000_0000),
    "F32": (np.dtype("<u4"), 0x7F80_0000),
    "F16": (np.dtype("<u2"), 0x7C00),
    "BF16": (np.dtype("<u2"), 0x7F80),
}
_LENGTH_BYTES = 8


class _Stored(NamedTuple):
    name: str
    dtype: str
    content: np.ndarray[Any, np.dtype[np.uint8]]


def check_finite(folder: Path, architecture: str) -> None:
    """Check that no weight of the encoder is NaN or infinite.

    Args:
        folder: with weights that can be read.
        architecture: of the encoder.

    Raises:
        StillhouseError: ``invalid``, field ``model.name``.
    """
    path = find_weights(folder)
    assert path is not None, "a checked folder has weights"
    for stored in _safetensors(path) if path.suffix == ".safetensors" else _pickled(path):
        name = own_name(stored.name, architecture)
        if name is None:
            continue
        if stored.dtype not in _EXPONENTS:
            known = ", ".join(_EXPONENTS)
            refuse(folder, f"{name} holds {stored.dtype}, not floating-point numbers ({known})")
        integer, exponent = _EXPONENTS[stored.dtype]
        bits = stored.content.view(integer)
        num_bad = int(np.count_nonzero(bits & exponent == exponent))
        if num_bad:
            refuse(
                folder,
                f"{num_bad} of the {len(bits)} numbers in {name} are NaN or infinite, so nothing "
                "could be computed with it",
            )


def _safetensors(path: Path) -> Iterator[_Stored]:
    """By the format's own words: the header's length, the header as JSON, the tensors."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        header = json.loads(file.read(length))
    content = np.memmap(path, np.uint8, "r", offset=_LENGTH_BYTES + length)
    for name, facts in header.items():
        if name != "__metadata__":
            begin, end = facts["data_offsets"]
            yield _Stored(name, facts["dtype"], content[begin:end])


def _pickled(path: Path) -> Iterator[_Stored]:
    import torch

    dtypes = {
        torch.float64: "F64",
        torch.float32: "F32",
        torch.float16: "F16",
        torch.bfloat16: "BF16",
    }
    for name, tensor in torch.load(path, map_location="cpu", weights_only=True).items():
        content = tensor.detach().flatten().contiguous().view(torch.uint8).numpy()
        yield _Stored(name, dtypes.get(tensor.dtype, str(tensor.dtype)), content)
