"""Sets of image files: CLASS/FILE or SPLIT/CLASS/FILE in a folder or a zip, or SPLIT.zip beside
each other."""

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..errors import StillhouseError
from ..stopping import may_stop
from .faults import invalid
from .pixels import pixels_of, shape_of
from .rows import BadRow, ImageShape, Row, SplitName, Unusable
from .split_files import SPLIT_BY_NAME

_READ_ENDINGS = (".png", ".jpg", ".jpeg")
_OTHER_ENDINGS = (".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
ZIP_ENDING = ".zip"
# An image of the longest side without compression takes a quarter of it.
_LARGEST_FILE = 16 * 2**20
# Enough to see that a folder holds images.
_LOOKED_AT = 32


class ImageFile(NamedTuple):
    """An image of a set.

    Attributes:
        where: its path, for messages.
        class_name: the name of its folder.
        read: gives its bytes.
    """

    where: str
    class_name: str
    read: Callable[[], bytes]


def is_image_folder(folder: Path) -> bool:
    """Whether a folder looks like a set of images; looks at a few entries only."""
    if any((folder / f"{name}{ZIP_ENDING}").is_file() for name in SPLIT_BY_NAME):
        return True
    folders = [path for path in _some(folder) if path.is_dir() and not path.name.startswith(".")]
    own = [path for path in folders if path.name not in SPLIT_BY_NAME]
    train = [path for path in folders if SPLIT_BY_NAME.get(path.name) == "train"]
    inner = [path for split in train for path in _some(split) if path.is_dir()]
    return any(_is_image(path.name) for parent in (*own, *inner) for path in _some(parent))


def image_files(place: Path) -> dict[SplitName, list[ImageFile]]:
    """The images of each split, in the order of their paths.

    Raises:
        StillhouseError: invalid where there is no image of train, or a file is no zip.
    """
    splits: dict[SplitName, list[ImageFile]] = {}
    if place.is_file():
        _add(splits, _zipped(place), None)
    else:
        _add(splits, _below(place), None)
        for name, split_name in SPLIT_BY_NAME.items():
            path = place / f"{name}{ZIP_ENDING}"
            if path.is_file():
                _add(splits, _zipped(path), split_name)
    if "train" not in splits:
        raise invalid(
            f"{place} has no images of train; expected are PNG or JPEG files as CLASS/FILE, "
            "train/CLASS/FILE, or the same in a zip"
        )
    return splits


def image_rows(
    files: Iterable[ImageFile], shape: ImageShape, class_names: Mapping[str, int]
) -> Callable[[], Iterator[Row | BadRow]]:
    """A function that reads a split from its start at each call."""
    chosen = list(files)
    return lambda: (_row(file, shape, class_names) for file in chosen)


def first_shape(files: Sequence[ImageFile]) -> ImageShape:
    """The shape of the first image that can be read.

    Raises:
        StillhouseError: invalid where none can.
    """
    for file in files:
        try:
            return shape_of(file.read(), file.where)
        except StillhouseError:
            if file is files[-1]:
                raise
    raise AssertionError("a split has files")


def _row(file: ImageFile, shape: ImageShape, classes: Mapping[str, int]) -> Row | BadRow:
    label = classes.get(file.class_name)
    if label is None:
        return BadRow(
            "a label that is not a class",
            f"{file.where} is in the folder {file.class_name!r}, which is not a class; classes "
            f"are {', '.join(classes)}",
        )
    if file.where.lower().endswith(_OTHER_ENDINGS):
        return BadRow(
            "an image of another format",
            f"{file.where} must be a PNG or JPEG file; save it as one of them",
        )
    pixels = pixels_of(file.read(), shape)
    if isinstance(pixels, Unusable):
        return BadRow(pixels.reason, f"{file.where} {pixels.problem}")
    return pixels, None, label


def _add(
    splits: dict[SplitName, list[ImageFile]],
    files: Iterable[tuple[PurePosixPath, ImageFile]],
    own: SplitName | None,
) -> None:
    """Sort files into splits: SPLIT/CLASS/FILE, or CLASS/FILE of ``own``, else of train."""
    for path, file in files:
        parts = path.parts
        if len(parts) == 3 and own is None and parts[0] in SPLIT_BY_NAME:
            splits.setdefault(SPLIT_BY_NAME[parts[0]], []).append(file)
        elif len(parts) == 2 and (own is not None or parts[0] not in SPLIT_BY_NAME):
            splits.setdefault(own or "train", []).append(file)
        else:
            raise invalid(
                f"{file.where} lies neither at CLASS/FILE nor at SPLIT/CLASS/FILE, so its class is "
                "not known"
            )


def _below(folder: Path) -> Iterator[tuple[PurePosixPath, ImageFile]]:
    for path in sorted(folder.rglob("*")):
        may_stop()
        relative = PurePosixPath(path.relative_to(folder).as_posix())
        if _counts(relative) and path.is_file():
            yield relative, ImageFile(str(path), relative.parent.name, _file_reader(path))


def _zipped(path: Path) -> Iterator[tuple[PurePosixPath, ImageFile]]:
    try:
        opened = zipfile.ZipFile(path)  # for as long as its readers are kept
    except (zipfile.BadZipFile, OSError) as error:
        raise invalid(f"{path} cannot be read as a zip: {error}") from None
    for info in sorted(opened.infolist(), key=lambda info: info.filename):
        relative = PurePosixPath(info.filename)
        if _counts(relative) and not info.is_dir():
            where = f"{path}/{info.filename}"
            read = _entry_reader(opened, info, where)
            yield relative, ImageFile(where, relative.parent.name, read)


def _file_reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            size = path.stat().st_size
            if size > _LARGEST_FILE:
                raise _too_large(str(path), size)
            return path.read_bytes()
        except OSError as error:
            raise invalid(f"{path} cannot be read: {error}") from None

    return read


def _entry_reader(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str
) -> Callable[[], bytes]:
    def read() -> bytes:
        # What the entry says of its size holds: the library reads no more than that.
        if info.file_size > _LARGEST_FILE:
            raise _too_large(where, info.file_size)
        try:
            return archive.read(info)
        except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
            raise invalid(f"{where} cannot be read: {error}") from None

    return read


def _too_large(where: str, size: int) -> Exception:
    return invalid(f"{where} has {size:,} bytes; an image may have at most {_LARGEST_FILE:,}")


def _counts(path: PurePosixPath) -> bool:
    """Whether a path is an image and not of the kind that systems add, such as ``__MACOSX``."""
    hidden = any(part.startswith((".", "__")) for part in path.parts)
    return not hidden and _is_image(path.name)


def _is_image(name: str) -> bool:
    return name.lower().endswith((*_READ_ENDINGS, *_OTHER_ENDINGS))


def _some(folder: Path) -> list[Path]:
    try:
        return [path for path, _ in zip(folder.iterdir(), range(_LOOKED_AT), strict=False)]
    except OSError:
        return []
