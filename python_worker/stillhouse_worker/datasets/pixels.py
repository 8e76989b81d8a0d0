"""From PNG and JPEG files to the pixels of a row, and what the pixels of a set are like."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from .faults import invalid
from .rows import Content, ImageShape, PixelStatistics, Unusable

Result = TypeVar("Result")
_FORMATS = ("PNG", "JPEG")
_MODES = {1: "L", 3: "RGB"}
_GREY_MODES = ("1", "L")
_COLOUR_MODES = ("RGB", "P")
_NAMED_MODES = {"RGBA": "RGB and transparency", "LA": "grey and transparency", "CMYK": "CMYK"}
# What Pillow raises for files that are no images, cut ones, and ones that would fill the memory.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
# A side of an image, in pixels: more is a photo that was not cut to a size for learning.
_LONGEST_SIDE = 1024
_CHUNK_ROWS = 1024


def pixels_of(value: Any, shape: ImageShape) -> bytes | Unusable:
    """The pixels of an encoded image; grey ones are copied to three channels where a set is RGB.

    Args:
        value: the bytes of a PNG or JPEG file, or the dictionary around them that the hub's tables
            have.
        shape: of the images of the set; no image is resized.
    """

    def pixels(image: Image.Image, found: ImageShape) -> bytes | Unusable:
        if found[1:] != shape[1:] or found.channels > shape.channels:
            problem = f"must hold a {shape} image as the others, got a {found} one; none is resized"
            return Unusable("an image of another size", problem)
        converted = image.convert(_MODES[shape.channels])
        return converted.tobytes("raw") if shape.channels == 1 else _channels_first(converted)

    return _of_image(value, pixels)


def encoded_image(value: Any) -> bytes | None:
    """The bytes of an image file in a column of a table; None where there are none."""
    content = value.get("bytes") if isinstance(value, Mapping) else value
    return content if isinstance(content, bytes) else None


def shape_of(value: Any, where: str) -> ImageShape:
    """The shape of an encoded image.

    Raises:
        StillhouseError: invalid where it cannot be read.
    """
    found = _of_image(value, lambda _, shape: shape)
    if isinstance(found, Unusable):
        raise invalid(f"{where} {found.problem}")
    check_shape(found, where)
    return found


def check_shape(shape: ImageShape, where: str) -> None:
    """Raise ``invalid`` for images without pixels or with too many of them."""
    if shape.channels not in _MODES:
        raise invalid(f"{where} must have 1 or 3 channels, got {shape.channels}")
    for side in (shape.height, shape.width):
        if not 1 <= side <= _LONGEST_SIDE:
            raise invalid(
                f"{where} must be 1 to {_LONGEST_SIDE} pixels wide and high, got {shape.width} x "
                f"{shape.height}"
            )


def pixel_statistics(rows: Sequence[Content], shape: ImageShape) -> PixelStatistics:
    """Mean and standard deviation of each channel; a constant channel has the deviation 1.

    The sums are whole numbers, so neither the order of the rows nor the machine changes them.
    """
    sums = np.zeros(shape.channels, np.int64)
    squares = np.zeros(shape.channels, np.int64)
    for start in range(0, len(rows), _CHUNK_ROWS):
        joined = b"".join(
            row for row in rows[start : start + _CHUNK_ROWS] if isinstance(row, bytes)
        )
        values = np.frombuffer(joined, np.uint8).reshape(
            -1, shape.channels, shape.height * shape.width
        )
        counts = [np.bincount(values[:, c].ravel(), minlength=256) for c in range(shape.channels)]
        sums += [int(count @ np.arange(256)) for count in counts]
        squares += [int(count @ np.arange(256) ** 2) for count in counts]
    number = len(rows) * shape.height * shape.width
    mean = sums / number / 255
    std = np.sqrt(np.maximum(squares / number / 255**2 - mean**2, 0))
    # A channel without any spread could not be divided by it.
    return PixelStatistics(tuple(mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist()))


def _of_image(value: Any, use: Callable[[Image.Image, ImageShape], Result]) -> Result | Unusable:
    """What ``use`` makes of an encoded image and its shape, or why there is nothing to use."""
    content = encoded_image(value)
    if content is None:
        return Unusable("no image", f"must hold a PNG or JPEG image, got {type(value).__name__}")
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            found = _shape(image)
            return found if isinstance(found, Unusable) else use(image, found)
    except _BROKEN as error:
        problem = f"cannot be read as a PNG or JPEG image: {' '.join(str(error).split())[:200]}"
        return Unusable("an image that cannot be read", problem)


def _shape(image: Image.Image) -> ImageShape | Unusable:
    """From the header alone."""
    if image.mode in _GREY_MODES:
        return ImageShape(1, image.height, image.width)
    if image.mode in _COLOUR_MODES:
        return ImageShape(3, image.height, image.width)
    got = _NAMED_MODES.get(image.mode, f"the mode {image.mode}")
    return Unusable(
        "an image that is neither grey nor RGB",
        f"must hold a grey or RGB image of 8 bits per channel, got {got}",
    )


def _channels_first(image: Image.Image) -> bytes:
    return np.asarray(image).transpose(2, 0, 1).tobytes()
