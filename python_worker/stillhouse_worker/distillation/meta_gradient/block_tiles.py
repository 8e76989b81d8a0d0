"""Functions of heads or rows, computed for a few of them at a time.

On a CPU, the probabilities of all heads are larger than its caches where samples are long: every
operation on them would be a pass over the memory, most of them into pages that are new. Those of a
few heads stay in the cache from their scores to the last product with them, and computing them
again in each pass costs less than to keep them.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

# Of one tensor in a tile, for each thread. From 1 to 4 MiB all are as fast, 12 are slower by half.
TILE_BYTES = 2 * 2**20

# A NamedTuple of tensors, each with one entry per head or row along its first axis, or None.
Result = TypeVar("Result", bound=tuple[Any, ...])


def in_tiles(function: Callable[..., Result], numel: int, *values: Any) -> Result:
    """The result of ``function`` for all heads or rows.

    Args:
        function: of some of them.
        numel: elements that each has in the largest tensor that ``function`` makes.
        values: its arguments: tensors whose first axes are of one length, the first of them such
            one, or None, or NamedTuples of these.
    """
    example = values[0][0] if isinstance(values[0], tuple) else values[0]
    count, size = len(example), _tile_length(example, numel)
    if size >= count:
        return function(*values)
    whole: Any = None
    for first in range(0, count, size):
        span = slice(first, first + size)
        found = function(*(_some(value, span) for value in values))
        if whole is None:
            whole = cast(Any, type(found))(*(_room(part, count) for part in found))
        for room, part in zip(whole, found, strict=True):
            if room is not None:
                room[span] = part
    return whole


def _tile_length(example: Tensor, numel: int) -> int:
    """How many heads or rows a tile has.

    All, where the kernels are a GPU's, which wait for each other, or are compiled into one.
    """
    if example.device.type != "cpu" or torch.compiler.is_compiling():
        return len(example)
    room = TILE_BYTES * torch.get_num_threads()
    return max(1, room // (numel * example.element_size()))


def _some(value: Any, span: slice) -> Any:
    if value is None:
        return None
    if isinstance(value, Tensor):
        return value[span]
    return type(value)(*(_some(part, span) for part in value))


def _room(part: Tensor | None, count: int) -> Tensor | None:
    return None if part is None else part.new_empty(count, *part.shape[1:])
