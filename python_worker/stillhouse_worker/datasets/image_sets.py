"""A local set of images: pairs of IDX files, or image files in folders and zips."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .description import Description
from .faults import invalid
from .idx import IdxPair, idx_labels, idx_pairs, idx_rows, idx_shape, is_idx_file
from .image_files import (
    ZIP_ENDING,
    ImageFile,
    first_shape,
    image_files,
    image_rows,
    is_image_folder,
)
from .labels import check_names
from .pixels import encoded_image
from .rows import ImageShape, Layout, RowSource, SplitName


def holds_images(place: Path) -> bool:
    """Whether a folder or file is a set of images that no table holds."""
    if place.is_file():
        return place.name.endswith(ZIP_ENDING)
    try:
        return any(is_idx_file(path) for path in place.iterdir()) or is_image_folder(place)
    except PermissionError:
        return False


def image_columns(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of a table's row that hold images."""
    return tuple(name for name, value in values.items() if encoded_image(value) is not None)


def image_source(place: Path, description: Description | None) -> RowSource:
    """Open a set that `holds_images`.

    Raises:
        StillhouseError: invalid where its files are not as documented.
    """
    if description is not None and not description.is_image:
        raise invalid(f'{place} holds images; its dataset.json must say "modality": "image"')
    if place.is_dir() and (pairs := idx_pairs(place)):
        return _idx_source(place, pairs, description)
    return _file_source(place, image_files(place), description)


def _idx_source(
    place: Path, pairs: Mapping[SplitName, IdxPair], description: Description | None
) -> RowSource:
    if "train" not in pairs:
        raise invalid(f"{place} has no IDX files of train, only of {', '.join(pairs)}")
    shape = _shape(idx_shape(pairs["train"]), description, str(pairs["train"].images))
    names = _class_names(description, [str(n) for n in range(max(idx_labels(pairs["train"])) + 1)])
    return RowSource(
        place=str(place),
        class_names=names,
        text_columns=(),
        splits={name: idx_rows(pair, shape, len(names)) for name, pair in pairs.items()},
        layout=Layout(
            files={name: pair.names for name, pair in pairs.items()},
            is_recognised=description is None,
        ),
        image=shape,
    )


def _file_source(
    place: Path, splits: Mapping[SplitName, list[ImageFile]], description: Description | None
) -> RowSource:
    train = splits["train"]
    shape = (description and description.shape) or first_shape(train)
    names = _class_names(description, sorted({file.class_name for file in train}))
    if len(names) < 2:
        raise invalid(f"{place} must have a folder for each of two or more classes, got {names[0]}")
    check_names(str(place), names, ())
    classes = {name: index for index, name in enumerate(names)}
    return RowSource(
        place=str(place),
        class_names=names,
        text_columns=(),
        splits={name: image_rows(files, shape, classes) for name, files in splits.items()},
        layout=Layout(is_recognised=description is None),
        image=shape,
    )


def _class_names(description: Description | None, found: list[str]) -> tuple[str, ...]:
    return tuple(found) if description is None else description.class_names


def _shape(found: ImageShape, description: Description | None, where: str) -> ImageShape:
    """The shape that files and description agree on."""
    if description is not None and description.shape not in (None, found):
        raise invalid(f"{where} holds {found} images, dataset.json says {description.shape}")
    return found
