"""Distilled images on one sheet with their labels, as PNG."""

import base64
import io
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

# Pixels: the least side of an image as it is shown, the space around it, the line of its label.
_LEAST_SIDE, _GAP, _LINE = 96, 8, 16
_MOST_COLUMNS = 10
_WHITE, _BLACK = 255, 0


def contact_sheet(
    images: UInt8[Tensor, "m c h w"], captions: Sequence[str]
) -> UInt8[Tensor, "3 height width"]:
    """All images side by side, at most ten in a row, each above its label.

    Small ones are shown with every pixel as a square of several.
    """
    factor = max(1, math.ceil(_LEAST_SIDE / min(images.shape[2:])))
    shown = F.interpolate(images.float(), scale_factor=factor, mode="nearest").to(torch.uint8)
    height, width = (side + 2 * _GAP for side in shown.shape[2:])
    columns = min(_MOST_COLUMNS, len(images))
    rows = math.ceil(len(images) / columns)
    sheet = Image.new("RGB", (columns * width, rows * (height + _LINE)), (_WHITE,) * 3)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default()
    for index, (image, caption) in enumerate(zip(shown, captions, strict=True)):
        left, top = index % columns * width + _GAP, index // columns * (height + _LINE) + _GAP
        sheet.paste(_picture(image), (left, top))
        text = caption.encode("latin-1", "replace").decode("latin-1")
        draw.text((left, top + shown.shape[2] + 2), text, fill=(_BLACK,) * 3, font=font)
    content = torch.frombuffer(bytearray(sheet.tobytes()), dtype=torch.uint8)
    return content.view(sheet.height, sheet.width, 3).permute(2, 0, 1)


def png_address(image: UInt8[Tensor, "c h w"]) -> str:
    """The image as a PNG in an address that a page can show: ``data:image/png;base64,…``."""
    file = io.BytesIO()
    _picture(image).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _picture(image: UInt8[Tensor, "c h w"]) -> Image.Image:
    if len(image) == 1:
        return Image.fromarray(image[0].numpy())
    return Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
