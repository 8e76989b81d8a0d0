"""A part of a data set, or a variant of it, as the tasks of continual learning are."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import StillhouseError
from ..seeding import derive_seed, generator
from .batching import RealSplit, select_rows
from .pixel_batches import PixelSplit


class DataPart(NamedTuple):
    """Which rows, and how their images are changed: see the message of this name.

    Attributes:
        classes: of the rows; empty: all rows.
        permutation_seed: of an order that the pixels of every image are brought to; None: they
            stay where they are.
    """

    classes: tuple[int, ...] = ()
    permutation_seed: int | None = None

    def seed(self, seed: int) -> int:
        """The seed of what is random about this part, 32 bits of it, so that parts do not draw the
        same rows; ``seed`` is that of the experiment."""
        purpose = f"part {','.join(map(str, self.classes))} {self.permutation_seed}"
        return derive_seed(seed, purpose) >> 31

    def rows(self, labels: Tensor) -> Tensor:
        """The numbers of the rows with these labels that are in it, int64, in their order."""
        if not self.classes:
            return torch.arange(len(labels))
        return torch.isin(labels, torch.tensor(self.classes)).nonzero()[:, 0]

    def sample_classes(self, per_class: int, others: Sequence[int] = ()) -> list[int]:
        """``per_class`` times each of its classes, or each of ``others`` where it names none."""
        return [label for label in self.classes or others for _ in range(per_class)]


def part_facts(part: DataPart | None) -> dict[str, Any]:
    """For a manifest: which part of the data set was distilled; nothing for all of it."""
    return {} if part is None else {"part": part._asdict()}


def part_of(split: RealSplit, part: DataPart) -> RealSplit:
    """The rows of ``part``, in their order; classes keep their numbers.

    Raises:
        StillhouseError: ``invalid`` where pixels of texts were to be permuted.
    """
    if part.classes:
        split = select_rows(split, part.rows(split.labels))
    if part.permutation_seed is None:
        return split
    if not isinstance(split, PixelSplit):
        raise StillhouseError(
            "invalid", "only pixels can be permuted, and this data set holds texts", field="replay"
        )
    return _permuted(split, part.permutation_seed)


def _permuted(split: PixelSplit, seed: int) -> PixelSplit:
    """One order for all channels, as where a pixel is does not depend on its colour."""
    pixels = split.pixels
    order = torch.randperm(pixels[0, 0].numel(), generator=generator(seed, "order of pixels"))
    return split._replace(pixels=pixels.flatten(2)[:, :, order].view(pixels.shape))
