"""Continual learning: parts of data sets, memories, and learners that meet task after task."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from tasks_of import task_of

from conftest import RecordingReporter
from stillhouse_worker.artifacts import load_artifact
from stillhouse_worker.context.bench import open_bench
from stillhouse_worker.context.reporting import ReplayOutcome, Stopped
from stillhouse_worker.context.settings import ReplaySettings, Settings
from stillhouse_worker.datasets import Reading, TokenSplit, load_dataset
from stillhouse_worker.datasets.parts import DataPart, part_of
from stillhouse_worker.datasets.pixel_batches import PixelSplit
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.learners.nets import make_net, num_parameters
from stillhouse_worker.models.nets import net_fingerprint
from stillhouse_worker.seeding import generator
from stillhouse_worker.tasks.execute import execute
from stillhouse_worker.tasks.replay import mixed_loss, shares
from stillhouse_worker.tasks.replay_memory import Samples

SIZE, CLASSES = 8, 4
TASKS = (DataPart((0, 1)), DataPart((2, 3)))
SEEDS = [11, 12]


def write_images(folder: Path, split: str, rows: int) -> None:
    """Images with a bright quarter, which says the class, as IDX files."""
    draws = np.random.default_rng(rows)
    labels = np.arange(rows, dtype=np.uint8) % CLASSES
    images = draws.integers(0, 200, (rows, SIZE, SIZE)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, left = 4 * (label // 2), 4 * (label % 2)
        image[top : top + 4, left : left + 4] += 50
    for kind, values in (("images", images), ("labels", labels)):
        shape = struct.pack(f">{values.ndim}I", *values.shape)
        content = bytes([0, 0, 8, values.ndim]) + shape + values.tobytes()
        (folder / f"{split}-{kind}-idx{values.ndim}-ubyte").write_bytes(content)


@pytest.fixture(scope="module")
def replayed(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two tasks of two classes each for a small MLP."""
    folder = tmp_path_factory.mktemp("images")
    (folder / "corners").mkdir()
    write_images(folder / "corners", "train", 160)
    write_images(folder / "corners", "test", 80)
    reading = Reading(0.2, 0.2, "refuse")
    found = load_dataset(
        "corners", source="local", data_dir=str(folder), splits=(), reading=reading
    ).fingerprint
    return settings._replace(
        data=settings.data._replace(
            name="corners", data_dir=str(folder), fingerprint=found, reading=reading
        ),
        model=settings.model._replace(name="mlp", fingerprint=net_fingerprint("mlp")),
        distilled=settings.distilled._replace(
            per_class=1,
            attention_labels="none",
            class_labels="hard",
            seq_len=1,
            num_steps=2,
            lr=0.05,
            x_init="real",
        ),
        outer=settings.outer._replace(num_steps=4),
        replay=ReplaySettings(TASKS, 20, 0, 8, 0.1),
    )


def distilled_memory(settings: Settings, part: DataPart, folder: Path) -> Path:
    classes = part.classes
    own = settings._replace(
        data=settings.data._replace(part=part),
        distilled=settings.distilled._replace(samples=len(classes), sample_classes=classes),
        seed=part.seed(settings.seed),
    )
    return execute("distill", task_of(own, RecordingReporter(), folder)).folder


def replay(settings: Settings, method: str, folder: Path, stop_after: int = 0, **given):
    reporter = RecordingReporter(stop_after=stop_after) if stop_after else RecordingReporter()
    task = task_of(settings, reporter, folder, init_seeds=SEEDS, method=method, **given)
    outcome = execute("replay", task)
    assert isinstance(outcome, ReplayOutcome)
    return outcome


def figures(outcome: ReplayOutcome) -> list[tuple[int, list[list[float]]]]:
    """Everything but times."""
    return [(run.init_seed, run.after) for run in outcome.runs]


def images_of(rows: int) -> PixelSplit:
    pixels = torch.arange(rows * 2 * 3 * 3, dtype=torch.uint8).view(rows, 2, 3, 3)
    return PixelSplit(pixels, torch.arange(rows) % 3)


def test_a_part_has_the_rows_of_its_classes_under_their_numbers() -> None:
    part = part_of(images_of(7), DataPart((2, 0)))
    assert part.labels.tolist() == [0, 2, 0, 2, 0]
    assert torch.equal(part.pixels, images_of(7).pixels[[0, 2, 3, 5, 6]])


def test_permuted_pixels_move_alike_in_all_images_and_channels_and_differ_by_the_seed() -> None:
    whole = images_of(4)
    first, again, other = (part_of(whole, DataPart((), seed)) for seed in (1, 1, 2))
    assert torch.equal(first.pixels, again.pixels)
    assert not torch.equal(first.pixels, other.pixels)
    assert torch.equal(first.labels, whole.labels)
    moved = first.pixels.flatten(2).long() - first.pixels.flatten(2)[:1, :1].long()
    assert torch.equal(moved, moved[:1, :1] + (moved - moved[:1, :1])[:, :, :1])
    assert torch.equal(first.pixels.flatten(2).sort(2).values, whole.pixels.flatten(2))


def test_pixels_of_texts_are_refused() -> None:
    texts = TokenSplit(*(torch.zeros(1, dtype=torch.int64) for _ in range(4)))
    with pytest.raises(StillhouseError, match="only pixels can be permuted"):
        part_of(texts, DataPart((), 1))


def test_a_batch_is_shared_equally_and_the_first_sources_have_the_rest() -> None:
    assert shares(128, 5) == [26, 26, 26, 25, 25]
    assert shares(8, 2) == [4, 4]


def test_the_mixed_loss_is_the_mean_over_all_samples() -> None:
    net = make_net("mlp", (1, 4, 4), [0.5], [0.5])
    theta = net.draw(2, "default", generator(0, "test"))
    entry, labels = torch.randn(6, 1, 4, 4), torch.eye(2)[[0, 1, 1, 0, 1, 0]]
    parts = [Samples(entry[:2], None, labels[:2]), Samples(entry[2:], None, labels[2:])]
    logits = net.forward(theta, entry).logits
    expected = torch.nn.functional.cross_entropy(logits, labels.argmax(1))
    assert mixed_loss(net, theta, parts).item() == pytest.approx(expected.item(), rel=1e-6)


def test_lenet5_and_the_wide_mlp_are_the_published_ones() -> None:
    nets = [(name, make_net(name, (1, 28, 28), [0.1], [0.3])) for name in ("lenet5", "mlp-500")]
    assert [num_parameters(net, 10) for _, net in nets] == [61_706, 648_010]
    weight = nets[1][1].draw(10, "default", generator(0, "test"))["out.weight"]
    bound = (6 / (500 + 10)) ** 0.5
    assert bound * 0.95 < weight.abs().max() <= bound


def test_a_memory_is_distilled_of_the_rows_of_its_task(replayed: Settings, tmp_path: Path) -> None:
    artifact = load_artifact(distilled_memory(replayed, TASKS[1], tmp_path))
    assert artifact.data.class_labels.argmax(1).tolist() == [2, 3]
    assert artifact.manifest["dataset"]["part"] == {"classes": [2, 3], "permutation_seed": None}
    own = replayed._replace(data=replayed.data._replace(part=TASKS[1]))
    bench = open_bench(task_of(own, RecordingReporter(), tmp_path), ("train", "validation"))
    assert {int(label) for split in bench.splits.values() for label in split.labels} == {2, 3}


def test_what_learners_remember_is_what_they_keep(replayed: Settings, tmp_path: Path) -> None:
    memories = [distilled_memory(replayed, TASKS[0], tmp_path / "memory")]
    outcomes = {
        method: replay(replayed, method, tmp_path / method, memories=memories)
        for method in ("naive", "simple", "distilled", "joint")
    }
    for outcome in outcomes.values():
        assert [run.init_seed for run in outcome.runs] == SEEDS
        assert [[len(row) for row in run.after] for run in outcome.runs] == [[1, 2], [1, 2]]
        assert outcome.gd_steps == 40
    kept = {method: outcome.memory_samples for method, outcome in outcomes.items()}
    assert kept == {"naive": 0, "simple": 2, "distilled": 2, "joint": 64}
    assert outcomes["simple"].memory_bytes == 2 * SIZE * SIZE
    # Before anything is remembered, all methods train alike.
    firsts = [[run.after[0] for run in outcome.runs] for outcome in outcomes.values()]
    assert all(first == firsts[0] for first in firsts)
    ends = {m: [run.after[1][0] for run in o.runs] for m, o in outcomes.items()}
    assert max(ends["naive"]) < min(ends["joint"])


def test_real_samples_are_those_that_distilled_ones_start_from(
    replayed: Settings, tmp_path: Path
) -> None:
    standing = replayed._replace(outer=replayed.outer._replace(lr=1e-12))
    memory = distilled_memory(standing, TASKS[0], tmp_path / "memory")
    drawn = replay(replayed, "simple", tmp_path / "simple")
    still = replay(replayed, "distilled", tmp_path / "distilled", memories=[memory])
    assert figures(drawn) == figures(still)
    other = replay(replayed._replace(seed=replayed.seed + 1), "simple", tmp_path / "other")
    assert figures(other) != figures(drawn)


def test_an_interrupted_replay_ends_in_the_same_accuracies(
    replayed: Settings, tmp_path: Path
) -> None:
    whole = replay(replayed, "simple", tmp_path / "whole")
    stops = 0
    while True:
        try:
            parts = replay(replayed, "simple", tmp_path / "parts", stop_after=7)
            break
        except Stopped:
            stops += 1
    assert stops >= 4
    assert figures(parts) == figures(whole)


def test_texts_are_remembered_as_images_are(settings: Settings, tmp_path: Path) -> None:
    """Distilled samples have a vector at every position, and real texts are padded."""
    texts = settings._replace(
        distilled=settings.distilled._replace(
            attention_labels="none", class_labels="hard", x_init="real"
        ),
        outer=settings.outer._replace(num_steps=2),
        replay=ReplaySettings((DataPart((1,)), DataPart((0,))), 10, 0, 6, 0.05),
    )
    memories = [distilled_memory(texts, DataPart((1,)), tmp_path / "memory")]
    kept = {
        method: replay(texts, method, tmp_path / method, memories=memories)
        for method in ("naive", "simple", "distilled")
    }
    assert [outcome.memory_samples for outcome in kept.values()] == [0, 1, 1]
    assert len({str(figures(outcome)) for outcome in kept.values()}) >= 2
    firsts = [[run.after[0] for run in outcome.runs] for outcome in kept.values()]
    assert firsts[0] == firsts[1] == firsts[2]


def test_epochs_count_the_rows_of_the_present_task(replayed: Settings, tmp_path: Path) -> None:
    assert replayed.replay is not None
    passes = replayed._replace(replay=replayed.replay._replace(num_steps=0, epochs=2))
    # 64 training rows per task: in shares of 8, then of 4.
    assert replay(passes, "naive", tmp_path).gd_steps == 2 * (8 + 16)


def test_a_task_without_test_rows_is_refused_before_anything_is_trained(
    replayed: Settings, tmp_path: Path
) -> None:
    assert replayed.replay is not None
    tasks = (DataPart((0,)), DataPart((9,)))
    empty = replayed._replace(replay=replayed.replay._replace(tasks=tasks))
    with pytest.raises(StillhouseError, match="task 2 has no test rows of its classes 9"):
        replay(empty, "naive", tmp_path)


def test_another_kind_of_experiment_has_no_replay(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(StillhouseError, match="no tasks of continual learning"):
        replay(settings, "naive", tmp_path)


def test_a_rate_that_is_too_high_is_named(replayed: Settings, tmp_path: Path) -> None:
    assert replayed.replay is not None
    wild = replayed._replace(replay=replayed.replay._replace(lr=1e30))
    with pytest.raises(StillhouseError, match="a smaller --task-lr may help"):
        replay(wild, "naive", tmp_path)
