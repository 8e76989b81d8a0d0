"""Pretrained learners that others start from, in files."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from ..errors import StillhouseError
from ..tensorfile import group_of, write_bytes, write_tensors
from .interface import Params

POOL_NAME = "pool.safetensors"
POOL_MANIFEST_NAME = "manifest.json"
FORMAT = "stillhouse.pool.v1"

# Those that a distillation draws from are numbered from 0; one that is held out of it has the init
# seed of the test learner that starts from it. A teacher is the only one, 0.
PoolRole = Literal["member", "held-out", "teacher"]


class PoolId(NamedTuple):
    """Which learner of a pool: its role, and its number or init seed."""

    role: PoolRole
    number: int

    @property
    def prefix(self) -> str:
        """What the names of its tensors begin with."""
        return f"{self.role}.{self.number}."


class Pool(NamedTuple):
    """Learners of a pool; the weights are read from their files when they are asked for.

    Attributes:
        files: the file that each is in.
        size: how many members there are.
        device: where their weights go.
    """

    files: Mapping[PoolId, Path]
    size: int
    device: torch.device

    @property
    def starts_learners(self) -> bool:
        """Whether there are others than a teacher."""
        return any(role != "teacher" for role, _ in self.files)

    def member(self, number: int) -> Params:
        """theta of a learner that distilled data is trained on, 0 <= number < `size`."""
        return self._theta(PoolId("member", number))

    def held_out(self, init_seed: int) -> Params:
        """theta of the learner that is kept for the test learner with this seed."""
        return self._theta(PoolId("held-out", init_seed))

    def teacher(self) -> Params:
        """theta of the learner that labels of a learner's inside are from."""
        return self._theta(PoolId("teacher", 0))

    def _theta(self, which: PoolId) -> Params:
        path = self.files.get(which)
        if path is None:
            raise StillhouseError(
                "invalid",
                f"the pool has no {which.role} learner {which.number}; it was pretrained for other "
                "settings",
                field="pool",
            )
        try:
            group = group_of(path, which.prefix)
        except ValueError as error:
            raise _damaged(path.parent, error) from error
        return {name: tensor.to(self.device) for name, tensor in group.items()}


def open_pool(folders: Sequence[str | Path], device: str | torch.device = "cpu") -> Pool:
    """The pretrained learners in folders in which a control plane keeps them.

    Raises:
        StillhouseError: ``invalid`` where a folder holds none or is damaged.
    """
    files: dict[PoolId, Path] = {}
    for folder in map(Path, folders):
        try:
            text = (folder / POOL_MANIFEST_NAME).read_text(encoding="utf-8")
            manifest = json.loads(text)
            if manifest["format"] != FORMAT:
                raise ValueError(f"its format is {manifest['format']}, this version reads {FORMAT}")
            ids = [PoolId("member", number) for number in manifest["members"]]
            ids += [PoolId("held-out", seed) for seed in manifest["init_seeds"]]
            ids += [PoolId("teacher", number) for number in manifest.get("teachers", ())]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _damaged(folder, error) from error
        files |= dict.fromkeys(ids, folder / POOL_NAME)
    return Pool(files, sum(role == "member" for role, _ in files), torch.device(device))


def write_pool(folder: Path, learners: Mapping[PoolId, Params], facts: dict[str, Any]) -> None:
    """Write learners with a manifest of ``facts`` and of which they are."""
    tensors = {
        f"{which.prefix}{name}": tensor
        for which, theta in learners.items()
        for name, tensor in theta.items()
    }
    write_tensors(folder / POOL_NAME, tensors, {"format": FORMAT})
    digest = hashlib.sha256((folder / POOL_NAME).read_bytes()).hexdigest()
    teachers = [number for role, number in learners if role == "teacher"]
    manifest = {
        "format": FORMAT,
        **facts,
        **({"teachers": teachers} if teachers else {}),
        "members": [number for role, number in learners if role == "member"],
        "init_seeds": [seed for role, seed in learners if role == "held-out"],
        "sha256": {POOL_NAME: digest},
    }
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    write_bytes(folder / POOL_MANIFEST_NAME, (text + "\n").encode())


def start_is_missing() -> StillhouseError:
    """The error for data that was distilled for pretrained learners, where none is given."""
    return StillhouseError(
        "invalid",
        "this data was distilled for pretrained learners; give the weights of one as start, such "
        "as open_pool([folder]).held_out(seed)",
        field="start",
    )


def _damaged(folder: Path, error: Exception) -> StillhouseError:
    return StillhouseError(
        "invalid", f"the pool of learners at {folder} is damaged: {error}", field="pool"
    )
