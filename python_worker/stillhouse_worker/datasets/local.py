"""A local data set: a folder with one file per split, with or without ``dataset.json``, or
one file of rows."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from ..errors import StillhouseError
from .columns import recognised_columns
from .description import DESCRIPTION_NAME, Description, read_description
from .faults import invalid, not_found
from .files import PARQUET, SUFFIXES, Record, read_records, suffix_of
from .image_files import ZIP_ENDING
from .image_sets import holds_images, image_columns, image_source
from .pixels import encoded_image, shape_of
from .rows import ImageShape, Layout, RowSource, SplitName
from .split_files import found_below, has_train_file, split_files
from .tables import Classes, Columns, Table, rows_of_tables


def has_local(name: str, data_dir: str | None) -> bool:
    """Whether ``data_dir`` holds a data set of that name: a folder, or a file of rows or images."""
    if data_dir is None or not name or ".." in Path(name).parts or Path(name).is_absolute():
        return False
    path = found_below(Path(data_dir), name)
    is_set = path.is_file() and path.name.endswith((*SUFFIXES, ZIP_ENDING))
    return is_set or is_set_folder(path)


def is_set_folder(path: Path) -> bool:
    """Whether a path is a folder with ``dataset.json``, a train file or images."""
    return path.is_dir() and (
        (path / DESCRIPTION_NAME).is_file() or has_train_file(path) or holds_images(path)
    )


def local_names(data_dir: str | None) -> list[str]:
    """Names of the data sets in ``data_dir``, sorted; none when there is no such folder."""
    if data_dir is None or not Path(data_dir).is_dir():
        return []
    return sorted(path.name for path in Path(data_dir).iterdir() if is_set_folder(path))


def local_source(
    name: str, data_dir: str | None, texts: tuple[str, ...] = (), label: str = ""
) -> RowSource:
    """Open ``data_dir/name``.

    Args:
        name: of a folder or a file.
        data_dir: where it is.
        texts: columns of texts; empty: as dataset.json says, or as recognised.
        label: column of labels; empty: the same.

    Raises:
        StillhouseError: not_found without folder or train file; invalid when dataset.json or the
            files beside it are not as documented.
    """
    if data_dir is None or not Path(data_dir).is_dir():
        raise StillhouseError(
            "not_found", f"data folder {data_dir!r} is not a folder", field="dataset.data_dir"
        )
    place = found_below(Path(data_dir), name)
    if not has_local(name, data_dir):
        raise not_found(
            f"{Path(data_dir) / name} is not a data set: neither a folder that holds "
            f"{DESCRIPTION_NAME}, a train file or images, nor a file that ends in "
            f"{', '.join((*SUFFIXES, ZIP_ENDING))}"
        )
    description = read_description(place)
    if holds_images(place):
        return image_source(place, description)
    return _table_source(place, description, texts, label)


def _table_source(
    place: Path, description: Description | None, texts: tuple[str, ...], label: str
) -> RowSource:
    files: dict[SplitName, tuple[Path, ...]] = (
        {"train": (place,)} if place.is_file() else split_files(place)
    )
    described = description.columns if description is not None else None
    columns = _columns(files["train"][0], described, texts, label)
    is_described = description is not None and (
        described is None or described.label == columns.label
    )
    return rows_of_tables(
        str(place),
        {split_name: _table(paths) for split_name, paths in files.items()},
        columns,
        Classes(description.class_names if is_described and description else None),
        Layout(
            files={split_name: _names_of(paths) for split_name, paths in files.items()},
            is_recognised=not is_described,
        ),
        _shape(files["train"][0], columns, description),
    )


def _names_of(paths: Sequence[Path]) -> tuple[str, ...]:
    return tuple(path.name for path in paths)


def _columns(train: Path, described: Columns | None, texts: tuple[str, ...], label: str) -> Columns:
    if described is not None:
        if not texts and not label:
            return described
        texts, label = texts or described.texts, label or described.label
    first = _first(train, None)
    return recognised_columns(
        str(train), list(first.values), texts or image_columns(first.values), label
    )


def _shape(train: Path, columns: Columns, description: Description | None) -> ImageShape | None:
    """The shape of images in a table; None where it holds texts, as all but Parquet do."""
    is_image = description is not None and description.is_image
    if not is_image and suffix_of(train.name) != PARQUET:
        return None
    first, column = _first(train, columns.texts), columns.texts[0]
    if not is_image and encoded_image(first.values[column]) is None:
        return None
    return (description and description.shape) or shape_of(
        first.values[column], f"{first.where}: column {column!r}"
    )


def _first(train: Path, columns: Sequence[str] | None) -> Record:
    first = next(read_records(train, columns), None)
    if first is None:
        raise invalid(f"{train.parent} has no rows in its train split; at least one is needed")
    return first


def _table(paths: Sequence[Path]) -> Table:
    def read(columns: Sequence[str]) -> Iterator[Record]:
        return chain.from_iterable(read_records(path, columns) for path in paths)

    return read
