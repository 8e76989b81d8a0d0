"""Distilling never sees the test split, and a planted leak is noticed."""

import json
import shutil
from pathlib import Path

import pytest
from tasks_of import run as run_task
from tasks_of import task_of

from stillhouse_worker.artifacts import TENSORS_NAME
from stillhouse_worker.context.bench import open_bench
from stillhouse_worker.context.settings import Settings
from stillhouse_worker.context.variation import Variation
from stillhouse_worker.datasets import Reading, load_dataset
from stillhouse_worker.tasks import distill as module
from stillhouse_worker.tasks.distill import distill


@pytest.fixture
def other_test_rows(settings: Settings, tmp_path: Path) -> Settings:
    """The same settings on a set with other test rows, whose labels are swapped."""
    folder = tmp_path / "other" / "topics"
    shutil.copytree(Path(settings.data.data_dir) / "topics", folder)
    rows = [json.loads(line) for line in (folder / "test.jsonl").read_text().splitlines()]
    swapped = [json.dumps({**row, "label": 1 - row["label"]}) for row in rows]
    (folder / "test.jsonl").write_text("\n".join(swapped) + "\n")
    data_dir = str(folder.parent)
    dataset = load_dataset(
        "topics", source="local", data_dir=data_dir, splits=(), reading=Reading(0.2, 0.2, "refuse")
    )
    assert dataset.fingerprint != settings.data.fingerprint
    data = settings.data._replace(data_dir=data_dir, fingerprint=dataset.fingerprint)
    return settings._replace(data=data)


def distilled_bytes(settings: Settings, reporter, folder: Path) -> tuple[bytes, float | None]:
    outcome = distill(task_of(settings, reporter, folder))
    return (outcome.folder / TENSORS_NAME).read_bytes(), outcome.validation_accuracy


def test_distilled_data_and_validation_do_not_depend_on_test_rows(
    settings, other_test_rows, reporter, tmp_path
) -> None:
    one = distilled_bytes(settings, reporter, tmp_path / "a")
    assert distilled_bytes(other_test_rows, reporter, tmp_path / "b") == one


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_learner_that_sees_test_rows_is_caught(
    settings, other_test_rows, reporter, tmp_path, monkeypatch, split
) -> None:
    def leaking(own: Settings, splits):
        bench = open_bench(own, ("train", "validation", "test"))
        return bench._replace(splits={**bench.splits, split: bench.splits["test"]})

    monkeypatch.setattr(module, "open_bench", leaking)
    one = distilled_bytes(settings, reporter, tmp_path / "a")
    assert distilled_bytes(other_test_rows, reporter, tmp_path / "b") != one


@pytest.mark.parametrize(
    ("work", "variation"),
    [
        ("random", None),
        ("herding", None),
        ("evaluate", Variation(hard_labels=True, searches_lr=True)),
        ("evaluate", Variation(samples="kcenter", searches_lr=True)),
    ],
)
def test_a_searched_rate_does_not_depend_on_test_rows(
    settings, distilled, other_test_rows, make_reporter, tmp_path, work, variation
) -> None:
    artifact = str(distilled.folder)

    def searched(own: Settings, name: str):
        reporter = make_reporter()
        outcome = run_task(work, own, [11, 12], artifact, tmp_path / name, reporter, variation)
        scores = [value for metric, _, value in reporter.metrics if metric.startswith("valid")]
        return outcome.chosen_lr, scores, outcome.inits[0].accuracy

    *one, accuracy = searched(settings, "a")
    *other, other_accuracy = searched(other_test_rows, "b")
    assert one == other
    assert accuracy == pytest.approx(1 - other_accuracy)  # its labels are swapped


def test_a_distillation_holds_no_test_rows(settings, reporter, tmp_path) -> None:
    bench = module.Distillation(task_of(settings, reporter, tmp_path)).bench
    assert set(bench.splits) == {"train", "validation"}
    assert "test" not in bench.dataset.splits
