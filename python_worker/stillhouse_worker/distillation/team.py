"""Processes that share every outer step."""

from collections.abc import Sequence
from typing import NamedTuple

import torch.distributed
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from ..errors import StillhouseError


class Team(NamedTuple):
    """This process's rank and the number of processes; a single one needs no process group.

    Attributes:
        rank: number of this process, 0 <= rank < size.
        size: processes, each of them in the default process group of `torch.distributed`.
    """

    rank: int = 0
    size: int = 1

    def total(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes, in one message.

        Args:
            tensors: of one dtype on one device, and the same shapes in every process.

        Raises:
            StillhouseError: ``environment``, retryable, when another process is lost.
        """
        flat = parameters_to_vector(tensors)
        try:
            torch.distributed.all_reduce(flat)
        except RuntimeError as error:
            raise StillhouseError(
                "environment",
                f"a process that shares the outer steps was lost: {error}",
                retryable=True,
            ) from error
        vector_to_parameters(flat, tensors)


ALONE = Team()
