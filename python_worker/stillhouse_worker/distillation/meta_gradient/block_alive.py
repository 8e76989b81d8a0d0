"""The values and tangents of a step's blocks, between its pass forward and the one back."""

from torch.utils._pytree import tree_leaves

from .block_tangents import Tangents
from .block_values import Trace


class Alive:
    """What a step computes of its blocks on the way forward and needs on the way back.

    The last blocks are needed first. Tangents take two products where a value takes one, so what
    there is no room for is values first.

    Attributes:
        traces, tangents: by the numbers of blocks.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self.traces: dict[int, Trace] = {}
        self.tangents: dict[int, Tangents] = {}

    def put(self, index: int, trace: Trace | None, tangents: Tangents) -> None:
        """Add the next block's; the trace is None where it is kept anyway."""
        self.tangents[index] = tangents
        self._room -= _bytes_of(tangents)
        if trace is not None:
            self.traces[index] = trace
            self._room -= _bytes_of(trace)
        for values in (self.traces, self.tangents):
            while self._room < 0 and values:
                self._room += _bytes_of(values.pop(min(values)))


def _bytes_of(values: Trace | Tangents) -> int:
    """Without what entered, which a step holds until the way back."""
    tensors = [t for t in tree_leaves(values[1:]) if t is not None]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
