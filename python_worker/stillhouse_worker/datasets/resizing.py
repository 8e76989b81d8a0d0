"""Images of one set brought to the shape of another."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from .pixel_batches import PixelSplit
from .rows import ImageShape, PixelStatistics

# Rows that are floating-point numbers at once.
_CHUNK_ROWS = 1024
# Of red, green and blue in a grey value: ITU-R BT.601, as Pillow has them.
_LUMINANCE = (0.299, 0.587, 0.114)


def resized(split: PixelSplit, shape: ImageShape) -> PixelSplit:
    """The same images in another shape: smoothed and interpolated linearly, grey ones copied to
    three channels, and coloured ones taken for their luminance where grey ones are wanted."""
    parts = [_converted(part, shape) for part in torch.split(split.pixels, _CHUNK_ROWS)]
    return split._replace(pixels=torch.cat(parts))


def statistics_of(pixels: UInt8[Tensor, "n c h w"]) -> PixelStatistics:
    """Mean and standard deviation of each channel; a constant channel has the deviation 1."""
    values = pixels.transpose(0, 1).flatten(1).double() / 255
    std = values.std(1, unbiased=False)
    return PixelStatistics(
        tuple(values.mean(1).tolist()), tuple(torch.where(std > 0, std, 1.0).tolist())
    )


def _converted(pixels: UInt8[Tensor, "n a b d"], shape: ImageShape) -> UInt8[Tensor, "n c h w"]:
    values = _with_channels(pixels.float(), shape.channels)
    size = (shape.height, shape.width)
    values = F.interpolate(values, size, mode="bilinear", antialias=True, align_corners=False)
    return values.round().clamp(0, 255).to(torch.uint8)


def _with_channels(values: Float[Tensor, "n a h w"], channels: int) -> Float[Tensor, "n c h w"]:
    if values.shape[1] == channels:
        return values
    if channels == 1:
        weights = torch.tensor(_LUMINANCE)[:, None, None]
        return (values * weights).sum(1, keepdim=True)
    return values.expand(-1, channels, -1, -1)
