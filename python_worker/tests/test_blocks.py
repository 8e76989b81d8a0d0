"""Distilled data in blocks, of any number of samples, from its start to its learners."""

import json
import shutil

import pytest
import torch
from tasks_of import run, task_of

from stillhouse_worker.artifacts import load_artifact
from stillhouse_worker.context.bench import open_bench
from stillhouse_worker.context.reporting import Silent, Stopped
from stillhouse_worker.context.variation import Variation
from stillhouse_worker.distillation.inner import InnerLoss, leaves, sgd
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.evaluation.sample_rows import random_rows
from stillhouse_worker.evaluation.varied_training import labelled
from stillhouse_worker.inspection.distilled_data import inspected
from stillhouse_worker.tasks.distill import Distillation, distill
from stillhouse_worker.tasks.initial_data import class_means_at_entry, starting_labels


@pytest.fixture(scope="module")
def blocks(settings):
    """Two passes over two blocks of three samples, two of them of the second class."""
    distilled = settings.distilled._replace(
        samples=3,
        sample_classes=(1, 0, 1),
        blocks=2,
        num_steps=4,
        learn_lr="per_step",
        rate_form="softplus",
        encoder_lr_scale=0.5,
    )
    return settings._replace(distilled=distilled, outer=settings.outer._replace(num_steps=4))


@pytest.fixture(scope="module")
def artifact_folder(blocks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("blocks")
    return distill(task_of(blocks, Silent(), folder)).folder


def test_an_artifact_says_its_blocks_and_passes_and_is_read_as_such(artifact_folder) -> None:
    artifact = load_artifact(artifact_folder)
    manifest = artifact.manifest
    assert (manifest["blocks"], manifest["passes"]) == (2, 2)
    assert (manifest["format"], manifest["sample_classes"]) == (
        "stillhouse.distilled.v2",
        [1, 0, 1],
    )
    assert artifact.data.num_blocks == 2
    assert artifact.data.encoder_lr_scale is not None
    assert artifact.data.encoder_lr_scale.item() != 0.5, "it is learned"
    assert artifact.data.x.shape[0] == 6
    assert artifact.sample_classes == [1, 0, 1, 1, 0, 1]


def test_a_learner_trains_on_one_block_per_step(artifact_folder, tiny_encoder) -> None:
    artifact = load_artifact(artifact_folder)
    data, inner = artifact.data, artifact.manifest["inner_loss"]
    loss = InnerLoss(tiny_encoder, inner["attention_lambda"], inner["attention_reduction"])
    theta = artifact.starts(tiny_encoder).of_test_learner(5)
    for step, rows in enumerate([[0, 1, 2], [3, 4, 5]] * 2):
        theta = leaves(theta)
        value = loss(data.rows(torch.tensor(rows)), theta)
        grads = torch.autograd.grad(value, list(theta.values()))
        with torch.no_grad():
            theta = sgd(theta, grads, data.lrs[step], data.encoder_lr_scale)
    learner = artifact.train(5, learner=tiny_encoder)
    for name, expected in theta.items():
        torch.testing.assert_close(learner.params[name], expected)


def test_an_artifact_from_before_there_were_blocks_is_one(distilled, tmp_path) -> None:
    folder = shutil.copytree(distilled.folder, tmp_path / "earlier")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["format"] == "stillhouse.distilled.v1"
    for key in ("blocks", "passes", "sample_classes"):
        del manifest[key]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    earlier, present = load_artifact(folder), load_artifact(distilled.folder)
    assert earlier.data.num_blocks == present.data.num_blocks == 1
    assert earlier.sample_classes == present.sample_classes == [0, 1]


@pytest.mark.parametrize("number", [0, 5, "2", 4])
def test_blocks_that_do_not_fit_the_tensors_are_damage(artifact_folder, tmp_path, number) -> None:
    folder = shutil.copytree(artifact_folder, tmp_path / "damaged")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps({**manifest, "blocks": number}))
    with pytest.raises(StillhouseError, match="6 samples and 4 steps cannot be those of"):
        load_artifact(folder)


def test_a_run_in_blocks_and_windows_is_resumed_to_the_same_bytes(
    blocks, tmp_path, make_reporter
) -> None:
    settings = blocks._replace(outer=blocks.outer._replace(window=2, method="blockwise"))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    straight = distill(task_of(settings, make_reporter(), whole))
    with pytest.raises(Stopped):
        distill(task_of(settings, make_reporter(2), parts))
    resumed = distill(task_of(settings, make_reporter(), parts))
    for name in ("distilled.safetensors", "manifest.json"):
        assert (resumed.folder / name).read_bytes() == (straight.folder / name).read_bytes()


def test_a_window_is_drawn_by_seed_and_step(blocks, tmp_path, reporter) -> None:
    settings = blocks._replace(outer=blocks.outer._replace(window=2))
    one, same = (Distillation(task_of(settings, reporter, tmp_path)).loop for _ in range(2))
    windows = []
    for step in range(40):
        one.step = same.step = step
        assert one._window() == same._window()
        windows.append(one._window())
    assert {window.end - window.first for window in windows} == {2}
    assert {window.end for window in windows} == {2, 3, 4}
    whole = settings._replace(outer=settings.outer._replace(window=4))
    assert Distillation(task_of(whole, reporter, tmp_path)).loop._window() is None


@pytest.mark.parametrize(
    ("variation", "gd_steps"),
    [
        (Variation(), 4),
        (Variation(batch_size=1), 12),
        (Variation(batch_size=2, shuffled=True, steps=3), 6),
        (Variation(hard_labels=True, without_attention_labels=True), 4),
        (Variation(samples="random"), 4),
        (Variation(samples="herding"), 4),
    ],
)
def test_variations_train_on_the_blocks_in_turn(
    blocks, artifact_folder, tmp_path, reporter, variation, gd_steps
) -> None:
    outcome = run("evaluate", blocks, [3], artifact_folder, tmp_path, reporter, variation)
    assert (outcome.train_samples, outcome.gd_steps) == (6, gd_steps)


def test_hard_labels_are_those_of_the_samples_classes(artifact_folder, tiny_encoder) -> None:
    artifact, hard = load_artifact(artifact_folder), Variation(hard_labels=True)
    data = labelled(hard, artifact.data, artifact.sample_classes)
    assert data.class_labels.argmax(-1).tolist() == artifact.sample_classes


def test_a_baseline_has_as_many_real_samples_of_the_same_classes(
    blocks, tmp_path, reporter
) -> None:
    bench = open_bench(task_of(blocks, reporter, tmp_path), ("train",))
    rows = random_rows(bench)(7)
    assert bench.splits["train"].labels[rows].tolist() == [1, 0, 1, 1, 0, 1]
    assert len(set(rows.tolist())) == 6
    outcome = run("random", blocks, [3], "", tmp_path, reporter)
    assert (outcome.train_samples, outcome.gd_steps) == (6, 4)


def test_an_inspection_says_the_class_and_block_of_each_sample(artifact_folder) -> None:
    samples = inspected(load_artifact(artifact_folder), 1)["samples"]
    found = [(sample["class_name"], sample["block"]) for sample in samples]
    classes = ["money", "sport", "money"]
    assert found == [(name, block) for block in (1, 2) for name in classes]


def test_classes_that_are_not_given_are_drawn_by_the_seed(settings) -> None:
    def classes(samples: int, seed: int) -> list[int]:
        return settings.distilled._replace(samples=samples).classes(10, seed)

    few = [classes(5, seed) for seed in range(20)]
    assert all(each == sorted(set(each)) and len(each) == 5 for each in few)
    assert len({tuple(each) for each in few}) > 1
    assert few[3] == classes(5, 3)
    assert classes(20, 0) == settings.distilled._replace(per_class=2).classes(10, 0)
    assert len(classes(23, 0)) == 23
    assert set(classes(23, 0)) == set(range(10))


def test_labels_start_as_they_are_told_to(settings, tmp_path, reporter) -> None:
    bench = open_bench(task_of(settings, reporter, tmp_path), ("train",))
    smoothed = starting_labels(bench, "smoothed", [1])
    assert smoothed.tolist() == [pytest.approx([0.05, 0.95])]
    noise = starting_labels(bench, "noise", [0] * 500)
    assert abs(noise.mean().item()) < 0.1
    assert noise.std().item() == pytest.approx(1, abs=0.1)
    assert torch.equal(noise, starting_labels(bench, "noise", [0] * 500))
    # Of two classes the other one is the farthest.
    assert torch.equal(starting_labels(bench, "class_distance", [0, 1]), torch.eye(2))


def test_class_distances_are_those_of_the_means_of_embedded_texts(
    settings, tmp_path, reporter, monkeypatch
) -> None:
    bench = open_bench(task_of(settings, reporter, tmp_path), ("train",))
    means = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    module = "stillhouse_worker.tasks.initial_data"
    with monkeypatch.context() as patch:
        patch.setattr(f"{module}.class_means_at_entry", lambda _: means)
        patch.setattr(f"{module}.one_hot", lambda *_: None)
        labels = starting_labels(bench, "class_distance", [0, 2])
    assert labels.tolist() == [pytest.approx([1, 0.8, 0.2]), pytest.approx([0.2, 0, 1])]
    train = bench.splits["train"]
    found = class_means_at_entry(bench)
    for label in range(2):
        each = []
        for row in (train.labels == label).nonzero()[:, 0].tolist():
            ids = train.input_ids[train.offsets[row] : train.offsets[row + 1]][None].long()
            each.append(bench.encoder.embed(ids, torch.zeros_like(ids))[0].mean(0))
        torch.testing.assert_close(found[label], torch.stack(each).mean(0))
