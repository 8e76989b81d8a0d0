"""One safetensors file with its facts inside, written whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

_FACTS = "stillhouse"


def write_tensors(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write ``tensors`` and JSON ``facts`` to ``path``; a crash leaves the old file or the new."""
    write_bytes(path, tensor_bytes(tensors, facts))


def tensor_bytes(tensors: dict[str, Tensor], facts: dict[str, Any]) -> bytes:
    """What `read_tensors` reads, as the content of a file."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return save(plain, {_FACTS: json.dumps(facts, sort_keys=True)})


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` beside ``path``, flush it to the disk, then take the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors on the CPU, and the facts.

    Raises:
        ValueError: the file is damaged or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = json.loads((file.metadata() or {}).get(_FACTS, "{}"))
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    return tensors, facts


def group_of(path: Path, prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, without it, on the CPU; no others are read.

    Raises:
        ValueError: the file is damaged or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
            return {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def to_dtype(tensor: Tensor, name: str) -> Tensor:
    """``tensor`` as ``fp32`` or ``fp16``."""
    return tensor.to({"fp32": torch.float32, "fp16": torch.float16}[name])
