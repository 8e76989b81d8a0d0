"""The functions of a transformer block that `blockwise` calls, as they are or compiled."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .block import run_backward, run_forward
from .block_pull import pull
from .block_push import push
from .block_tangents import Pushed
from .block_values import Backward, Forward


class BlockFunctions(NamedTuple):
    """Forward, backward, and their derivatives along a direction."""

    run_forward: Callable[..., Forward]
    run_backward: Callable[..., Backward]
    push: Callable[..., Pushed]
    pull: Callable[..., Tensor]


@functools.cache
def block_functions(compiled: bool) -> BlockFunctions:
    """The functions as they are or compiled, once for all blocks of a shape.

    A graph break is an error: a function compiled in pieces may silently drop a tangent.
    """
    functions = (run_forward, run_backward, push, pull)
    if not compiled:
        return BlockFunctions(*functions)
    compile_ = functools.partial(torch.compile, fullgraph=True, dynamic=False)
    return BlockFunctions(*(compile_(function) for function in functions))
