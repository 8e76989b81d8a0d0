"""From the pixels of a split to batches; a set fits memory, so there is no data loader."""

from typing import NamedTuple

import torch
from torch import Tensor

from .rows import ImageShape, Split


class PixelSplit(NamedTuple):
    """The images of a split (N rows).

    Attributes:
        pixels: uint8 [N, channels, height, width].
        labels: int64 [N].
    """

    pixels: Tensor
    labels: Tensor

    @property
    def lengths(self) -> Tensor:
        """All rows are as long: ones, int64 [N]."""
        return torch.ones_like(self.labels)


class PixelBatch(NamedTuple):
    """Some images (b rows).

    Attributes:
        pixels: uint8 [b, channels, height, width].
        labels: int64 [b].
    """

    pixels: Tensor
    labels: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What a learner embeds."""
        return (self.pixels,)

    @property
    def mask(self) -> None:
        """Every pixel counts."""
        return None

    def to(self, device: torch.device) -> "PixelBatch":
        """The same rows on ``device``."""
        return PixelBatch(*(tensor.to(device) for tensor in self))


def pixel_split(split: Split, shape: ImageShape) -> PixelSplit:
    """The pixels of a split as tensors."""
    content = bytearray(b"".join(row for row in split.first if isinstance(row, bytes)))
    pixels = torch.frombuffer(content, dtype=torch.uint8).view(-1, *shape)
    return PixelSplit(pixels, torch.tensor(split.labels, dtype=torch.int64))


def given_pixels(images: object, labels: list[int], shape: ImageShape) -> PixelSplit:
    """The pixels that a person gives.

    Args:
        images: a uint8 tensor N x channels x height x width.
        labels: of the images.
        shape: what each must have.

    Raises:
        TypeError: for anything else than such numbers.
        ValueError: for another shape.
    """
    if not isinstance(images, Tensor):
        raise TypeError(f"images must be a tensor, got {type(images).__name__}")
    if images.dtype != torch.uint8:
        raise TypeError(f"images must be uint8 values from 0 to 255, got {images.dtype}")
    if images.dim() != 4 or tuple(images.shape[1:]) != tuple(shape):
        wanted = " x ".join(map(str, shape))
        raise ValueError(f"images must have the shape n x {wanted}, got {tuple(images.shape)}")
    if len(images) != len(labels):
        raise ValueError(f"there must be {len(labels)} images, one for each, got {len(images)}")
    return PixelSplit(images, torch.tensor(labels, dtype=torch.int64))
