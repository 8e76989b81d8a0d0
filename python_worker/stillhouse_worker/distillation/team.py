"""Processes that share every outer step."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from .process_group import ProcessGroup


class Team(NamedTuple):
    """This process's rank and the number of processes; a single one needs no process group.

    Attributes:
        rank: number of this process, 0 <= rank < size.
        size: processes.
        group: of these processes; None for a single one.
    """

    rank: int = 0
    size: int = 1
    group: ProcessGroup | None = None

    def total(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes, in one message.

        Args:
            tensors: of one dtype on one device, and the same shapes in every process.

        Raises:
            StillhouseError: ``environment``, retryable, when another process is lost.
        """
        if self.group is None:
            return
        flat = parameters_to_vector(tensors)
        self.group.add_up(flat)
        vector_to_parameters(flat, tensors)

    def of_leader(self, tensors: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
        """The leader's values of these tensors, on the device, in every process.

        Raises:
            StillhouseError: as `total` does.
        """
        own = {name: tensor.detach().to(device) for name, tensor in tensors.items()}
        if self.size > 1:
            values = [part if self.rank == 0 else torch.zeros_like(part) for part in own.values()]
            self.total(values)
            own = dict(zip(own, values, strict=True))
        return own

    def bytes_of_leader(self, content: bytes) -> bytes:
        """What the leader gives, in every process; what the others give is not read.

        Raises:
            StillhouseError: as `total` does.
        """
        return content if self.group is None else self.group.of_leader(content)


ALONE = Team()
