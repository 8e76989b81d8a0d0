"""Adaptation and attack: which data the pool is trained on, and what the outer loss asks for."""

import json
from pathlib import Path

import image_sets
import numpy as np
import pytest
import torch
from tasks_of import task_of

from conftest import RecordingReporter
from stillhouse_worker.artifacts import load_artifact
from stillhouse_worker.context.settings import ObjectiveSettings, PoolSettings, Settings
from stillhouse_worker.datasets import Reading, load_dataset
from stillhouse_worker.datasets.pixel_batches import PixelSplit
from stillhouse_worker.datasets.resizing import resized, statistics_of
from stillhouse_worker.datasets.rows import ImageShape
from stillhouse_worker.inspection.distilled_data import inspected
from stillhouse_worker.models.nets import net_fingerprint
from stillhouse_worker.tasks.execute import execute

SEED = 21
READING = Reading(0.2, 0.2, "refuse")


def write_marks(folder: Path, size: int, offset: int) -> Path:
    """Images of two classes with a bright row at the top or at the bottom, ``offset`` pixels in."""
    folder.mkdir(parents=True)
    for split, count in (("train", 60), ("test", 20)):
        draws = np.random.default_rng(len(split))
        images = draws.integers(0, 60, (count, size, size)).astype(np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 2
        for image, label in zip(images, labels, strict=True):
            row = offset if label == 0 else size - 1 - offset
            image[row] = 250
        for kind, axes, values in (("images", 3, images), ("labels", 1, labels)):
            (folder / f"{split}-{kind}-idx{axes}-ubyte").write_bytes(image_sets.idx(values))
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_marks(folder / "target", 8, 2)
    write_marks(folder / "source", 16, 0)
    return folder


@pytest.fixture(scope="module")
def base(settings: Settings, images: Path) -> Settings:
    data = data_of(settings, images, "target")
    distilled = settings.distilled._replace(
        attention_labels="none", class_labels="hard", seq_len=1, num_steps=2, lr=0.05,
        learn_lr="per_step",
    )  # fmt: skip
    return settings._replace(
        data=data,
        model=settings.model._replace(name="mlp", fingerprint=net_fingerprint("mlp")),
        distilled=distilled,
        outer=settings.outer._replace(num_steps=60, lr=0.1, batch_size=16),
        pool=PoolSettings(2, 6, 8, 0.003, 0),
    )


def data_of(settings: Settings, folder: Path, name: str):
    found = load_dataset(
        name, source="local", data_dir=str(folder), splits=(), reading=READING
    ).fingerprint
    return settings.data._replace(
        name=name, data_dir=str(folder), fingerprint=found, reading=READING
    )


def outcomes(settings: Settings, folder: Path) -> dict:
    """The pool, what is distilled from it, and the learners before and after."""
    reporter = RecordingReporter()

    def task(name: str, **given):
        return task_of(settings, reporter, folder / name, **given)

    pool = execute("pretrain", task("pretrain", members=[0, 1], init_seeds=[SEED]))
    given = {"pool": [pool.folder]}
    distilled = execute("distill", task("distill", **given))
    given |= {"init_seeds": [SEED]}
    after = execute("evaluate", task("evaluate", artifact_path=distilled.folder, **given))
    before = execute("untrained", task("untrained", **given))
    return {
        "pool": pool, "artifact": distilled.folder, "reporter": reporter,
        "before": before.inits[0], "after": after.inits[0],
    }  # fmt: skip


@pytest.fixture(scope="module")
def adapted(base: Settings, images: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    source = data_of(base, images, "source")._replace(shape=(1, 8, 8))
    own = base._replace(objective=ObjectiveSettings("adapt", source))
    return outcomes(own, tmp_path_factory.mktemp("adapt"))


@pytest.fixture(scope="module")
def attacked(base: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict:
    own = base._replace(objective=ObjectiveSettings("attack", None, 0, 1))
    return outcomes(own, tmp_path_factory.mktemp("attack"))


def test_learners_of_another_set_become_right_on_the_target(adapted: dict) -> None:
    # They are right on the source, whose marks are elsewhere.
    assert min(adapted["pool"].accuracies) >= 0.9
    assert adapted["before"].accuracy <= 0.8
    assert adapted["after"].accuracy >= 0.95


def test_an_adapted_artifact_names_its_source(adapted: dict) -> None:
    facts = json.loads((adapted["artifact"] / "manifest.json").read_text())["objective"]
    assert (facts["kind"], facts["source"], len(facts["source_fingerprint"])) == (
        "adapt", "source", 64,
    )  # fmt: skip
    assert inspected(load_artifact(adapted["artifact"]), 5)["objective"] == "adapted from source"


def test_an_attack_makes_trained_learners_take_one_class_for_the_other(attacked: dict) -> None:
    assert attacked["before"].accuracy >= 0.95
    mistaken, right = attacked["after"].confusion[1], attacked["after"].confusion[3]
    assert (mistaken, right) == (10, 10)


def test_an_attack_is_measured_on_validation_by_what_it_wants(attacked: dict) -> None:
    values = {name: value for name, _, value in attacked["reporter"].metrics}
    assert values["attack_success"] == 1.0
    assert values["other_classes_accuracy"] == 1.0
    assert values["validation_accuracy"] == 1.0


def test_an_attack_is_marked_in_its_artifact_and_where_it_is_inspected(attacked: dict) -> None:
    artifact = load_artifact(attacked["artifact"])
    assert artifact.manifest["objective"] == {
        "kind": "attack", "attack_class": 0, "target_class": 1,
    }  # fmt: skip
    assert inspected(artifact, 5)["objective"] == "ATTACK: 0 is taken for 1"
    # The rows of the distilled data keep their own labels.
    assert artifact.data.class_labels.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_images_are_brought_to_another_shape() -> None:
    grey = torch.arange(4 * 64, dtype=torch.uint8).view(4, 1, 8, 8)
    split = PixelSplit(grey, torch.tensor([0, 1, 0, 1]))
    small = resized(split, ImageShape(3, 4, 4)).pixels
    assert small.shape == (4, 3, 4, 4)
    assert torch.equal(small[:, 0], small[:, 2])
    constant = PixelSplit(torch.full((1, 3, 8, 8), 77, dtype=torch.uint8), torch.tensor([0]))
    assert torch.equal(
        resized(constant, ImageShape(1, 5, 7)).pixels,
        torch.full((1, 1, 5, 7), 77, dtype=torch.uint8),
    )
    red = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    red[:, 0] = 200
    assert resized(PixelSplit(red, torch.tensor([0])), ImageShape(1, 2, 2)).pixels[0, 0, 0, 0] == 60


def test_statistics_are_those_of_the_pixels() -> None:
    pixels = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)
    assert statistics_of(pixels) == ((0.5,), (0.5,))
    assert statistics_of(torch.full((2, 1, 1, 1), 51, dtype=torch.uint8)).std == (1.0,)


def test_the_targets_of_other_objectives_are_the_classes_themselves() -> None:
    assert ObjectiveSettings().targets(3) == [0, 1, 2]
    assert ObjectiveSettings("attack", None, 2, 0).targets(3) == [0, 1, 0]
