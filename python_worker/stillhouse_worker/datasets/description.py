"""``dataset.json``, which says what the files beside it hold."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .faults import invalid
from .file_bytes import open_bytes
from .pixels import check_shape
from .rows import ImageShape, shown
from .tables import Columns

DESCRIPTION_NAME = "dataset.json"
_IMAGE = "image"
# "text" is meant where there is none.
_MODALITY = "modality"
_TEXT_KEYS = ("labels", "text_columns", "label_column")
_IMAGE_KEYS = ("labels",)
_SHAPE_KEYS = ("channels", "height", "width")
_TABLE_KEYS = ("image_column", "label_column")
# Only people read these: images are normalised by what train holds.
_OPTIONAL_KEYS = ("name", "licence", "note")
_OPTIONAL_IMAGE_KEYS = (*_SHAPE_KEYS, *_TABLE_KEYS, "mean", "std", "format")


class Description(NamedTuple):
    """What a set says about itself.

    Attributes:
        columns: of contents and labels; None where images do not stand in tables.
        class_names: in the order of the class indices.
        is_image: whether it holds images.
        shape: of its images; None where the first image decides.
    """

    columns: Columns | None
    class_names: tuple[str, ...]
    is_image: bool = False
    shape: ImageShape | None = None


def read_description(folder: Path) -> Description | None:
    """The description in a folder; None where there is none.

    Raises:
        StillhouseError: invalid where it is not as documented.
    """
    path = folder / DESCRIPTION_NAME
    if not path.is_file():
        return None
    values = _values(path)
    modality = values.get(_MODALITY, "text")
    if modality not in ("text", _IMAGE):
        raise invalid(f"{path}: {_MODALITY} must be text or {_IMAGE}, got {shown(modality)}")
    is_image = modality == _IMAGE
    required = _IMAGE_KEYS if is_image else _TEXT_KEYS
    allowed = (*required, *(_OPTIONAL_IMAGE_KEYS if is_image else ()), *_OPTIONAL_KEYS, _MODALITY)
    for key in values:
        if key not in allowed:
            raise invalid(f"{path} has unknown key {key!r}; allowed are {', '.join(allowed)}")
    for key in required:
        if key not in values:
            raise invalid(f"{path} has no key {key!r}; needed are {', '.join(required)}")
    class_names = _names(path, values, "labels", 2, None)
    if is_image:
        return Description(_image_columns(path, values), class_names, True, _shape(path, values))
    texts = _names(path, values, "text_columns", 1, 2)
    return Description(Columns(texts, _label_column(path, values, texts)), class_names)


def _values(path: Path) -> dict[str, Any]:
    try:
        with open_bytes(path) as file:
            values = json.loads(file.read())
    except (ValueError, OSError, RecursionError) as error:
        raise invalid(f"{path} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise invalid(f"{path} must hold a JSON object, got {shown(values)}")
    return values


def _image_columns(path: Path, values: Mapping[str, Any]) -> Columns | None:
    given = [key for key in _TABLE_KEYS if key in values]
    if not given:
        return None
    if len(given) < len(_TABLE_KEYS):
        raise invalid(f"{path} has {given[0]} alone; needed are both of {', '.join(_TABLE_KEYS)}")
    column = values["image_column"]
    if not _is_name(column):
        raise invalid(f"{path}: image_column must be a name, got {shown(column)}")
    return Columns((column,), _label_column(path, values, (column,)))


def _shape(path: Path, values: Mapping[str, Any]) -> ImageShape | None:
    given = [key for key in _SHAPE_KEYS if key in values]
    if not given:
        return None
    sizes = [values.get(key) for key in _SHAPE_KEYS]
    numbers = [size for size in sizes if isinstance(size, int) and not isinstance(size, bool)]
    if len(numbers) != len(_SHAPE_KEYS):
        raise invalid(
            f"{path}: {', '.join(_SHAPE_KEYS)} must be three whole numbers, got {shown(sizes)}"
        )
    shape = ImageShape(*numbers)
    check_shape(shape, f"{path}: images")
    return shape


def _names(
    path: Path, description: Mapping[str, Any], key: str, least: int, most: int | None
) -> tuple[str, ...]:
    names = description[key]
    needed = f"{least} or more" if most is None else f"{least} or {most}"
    if (
        not isinstance(names, list)
        or not all(_is_name(name) for name in names)
        or len(set(names)) != len(names)
        or not least <= len(names) <= (most or len(names))
    ):
        raise invalid(
            f"{path}: {key} must be a list of {needed} different names, got {shown(names)}"
        )
    return tuple(names)


def _label_column(path: Path, values: Mapping[str, Any], contents: tuple[str, ...]) -> str:
    column = values["label_column"]
    if not _is_name(column) or column in contents:
        raise invalid(
            f"{path}: label_column must be a name that is not a text column, got {shown(column)}"
        )
    return str(column)


def _is_name(name: object) -> bool:
    """A text that is not empty and can be written as UTF-8."""
    if not isinstance(name, str) or not name:
        return False
    return name.isascii() or name == name.encode("utf-8", "replace").decode("utf-8")
