"""Dropout whose masks follow from a seed, so that a repeated pass drops the same values."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..seeding import derive_seed


class Dropout(NamedTuple):
    """How values are dropped in a pass.

    Attributes:
        probability: 0 < p < 1 of a value to become 0; the others are divided by 1 - p.
        seed: of the masks, each of which is a function of it, of its place and of its shape, on
            one kind of device; None: PyTorch's global generator draws them, each time others.
    """

    probability: float
    seed: int | None = None

    def within(self, purpose: str, index: int = 0) -> "Dropout":
        """That of a part of the pass, whose masks have nothing to do with those of other parts."""
        if self.seed is None:
            return self
        return self._replace(seed=derive_seed(self.seed, purpose, index))

    def apply(self, place: str, x: Tensor) -> Tensor:
        """``x`` with some of its values dropped."""
        if self.seed is None:
            return F.dropout(x, self.probability)
        return x * self.mask(place, x.shape, x)

    def mask(self, place: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """The factors of the values at ``place``: 0 or 1 / (1 - p), of the type of ``like``."""
        assert self.seed is not None, "a mask that is needed again has a seed"
        draws = torch.Generator(like.device).manual_seed(derive_seed(self.seed, place))
        # Always in fp32, so that a pass in another precision drops the same values.
        kept = torch.empty(shape, device=like.device)
        kept.bernoulli_(1 - self.probability, generator=draws)
        return kept.to(like.dtype).div_(1 - self.probability)

    @contextmanager
    def of_global_generator(self, device: torch.device) -> Iterator[None]:
        """Inside, code that draws its masks from PyTorch's global generator draws by the seed."""
        if self.seed is None:
            yield
            return
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(self.seed)
            yield
