"""Varies real images each time they are trained on."""

from typing import Literal

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from .batching import RealBatch, RealSplit, collate
from .pixel_batches import PixelBatch

Augmentation = Literal["none", "crop_flip"]

# Of a side: four of the 32 pixels of CIFAR-10, as Wang et al. (2018) and the field move them.
_MOST_MOVED = 1 / 8


def augmented(
    split: RealSplit, rows: Int[Tensor, " b"], kind: Augmentation, draws: torch.Generator
) -> RealBatch:
    """`collate`, with images varied as ``kind`` says.

    How a row is varied does not depend on the other rows of the batch, so that processes can share
    one.

    Args:
        split: texts are as they are.
        rows: row numbers.
        kind: "crop_flip": moved by up to an eighth of a side, the border mirrored, and flipped left
            to right by chance.
        draws: a CPU generator, at the same state for all who share a batch.
    """
    batch = collate(split, rows)
    if kind == "none" or not isinstance(batch, PixelBatch):
        return batch
    num_rows, (height, width) = len(split.labels), batch.pixels.shape[2:]
    down, right = (_shifts(side, num_rows, draws)[rows] for side in (height, width))
    flips = torch.randint(2, (num_rows,), generator=draws)[rows].bool()
    return batch._replace(pixels=moved(batch.pixels, down, right, flips))


def moved(
    pixels: UInt8[Tensor, "b c h w"],
    down: Int[Tensor, " b"],
    right: Int[Tensor, " b"],
    flips: Tensor,
) -> UInt8[Tensor, "b c h w"]:
    """Each image moved by its pixels down and right, and then flipped where it is to be.

    What comes in at a border mirrors what is beside it, without the outermost row itself.

    Args:
        pixels: of the images.
        down, right: less than a side; a negative number moves up, or left.
        flips: bool [b].
    """
    height, width = pixels.shape[2:]
    from_rows = _mirrored(torch.arange(height) - down[:, None], height)
    columns = torch.arange(width).expand(len(pixels), -1)
    columns = torch.where(flips[:, None], width - 1 - columns, columns)
    from_columns = _mirrored(columns - right[:, None], width)
    images = torch.arange(len(pixels))[:, None, None]
    found = pixels.permute(0, 2, 3, 1)[images, from_rows[:, :, None], from_columns[:, None, :]]
    return found.permute(0, 3, 1, 2)


def _shifts(side: int, count: int, draws: torch.Generator) -> Int[Tensor, " n"]:
    most = int(side * _MOST_MOVED)
    return torch.randint(-most, most + 1, (count,), generator=draws)


def _mirrored(places: Tensor, side: int) -> Tensor:
    """Places beyond a border, mirrored at the outermost pixel."""
    return (side - 1) - ((side - 1) - places.abs()).abs()
