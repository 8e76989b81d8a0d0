"""Baselines other than plain gradient steps on samples: linear classifiers, Adam, SetFit."""

import json
import random
from types import SimpleNamespace

import pytest
import torch
from tasks_of import run as run_task
from tasks_of import task_of

from stillhouse_worker.context.bench import open_for_learners
from stillhouse_worker.context.checkpoint_store import CheckpointStore
from stillhouse_worker.context.reporting import Stopped
from stillhouse_worker.datasets.rows import Split, content_bytes
from stillhouse_worker.evaluation import rate_search
from stillhouse_worker.evaluation import split_features as features_module
from stillhouse_worker.evaluation.rate_search import SGD_LRS
from stillhouse_worker.tasks import real_samples, setfit
from stillhouse_worker.tasks.setfit import pairs_of

SEEDS = [11, 12, 13]
NUM_CLASSES, WIDTH = 2, 16


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features_module, "_held", (None, {}))
    monkeypatch.setattr(setfit, "PAIRS_PER_TEXT", 2)
    monkeypatch.setattr(real_samples, "ADAM_STEPS", (2, 4))
    monkeypatch.setattr(real_samples, "ADAM_LRS", (1e-4, 1e-2))


def run(work, settings, folder, reporter, seeds=SEEDS):
    return run_task(work, settings, seeds, "", folder, reporter)


@pytest.mark.parametrize(
    ("work", "samples", "numbers"),
    [
        ("linear_probe", None, NUM_CLASSES * (WIDTH + 1)),
        ("linear_probe_few", NUM_CLASSES, NUM_CLASSES * (WIDTH + 1)),
        ("class_means", None, NUM_CLASSES * WIDTH),
    ],
)
def test_a_linear_classifier_does_not_train_the_encoder(
    settings, tmp_path, reporter, work, samples, numbers
) -> None:
    outcome = run(work, settings, tmp_path, reporter)
    assert [entry.init_seed for entry in outcome.inits] == SEEDS
    assert outcome.stored_bytes == 4 * numbers
    assert outcome.gd_steps == 0
    assert samples is None or outcome.train_samples == samples
    for entry in outcome.inits:
        counts = torch.tensor(entry.confusion).view(NUM_CLASSES, NUM_CLASSES)
        assert entry.accuracy == pytest.approx(counts.trace().item() / counts.sum().item())
        assert entry.train_time_s > 0


def test_only_linear_classifiers_on_a_few_rows_depend_on_the_seed(
    settings, tmp_path, reporter
) -> None:
    def losses(work: str) -> set[float]:
        return {entry.loss for entry in run(work, settings, tmp_path / work, reporter).inits}

    assert len(losses("linear_probe")) == 1
    assert len(losses("class_means")) == 1
    assert len(losses("linear_probe_few")) > 1


def test_tasks_of_an_experiment_read_a_split_once(settings, tmp_path, reporter) -> None:
    run("linear_probe", settings, tmp_path / "probe", reporter)
    read = {stage for stage, _, _ in reporter.stages if stage.startswith("reading")}
    assert read == {"reading train", "reading validation", "reading test"}
    reporter.stages.clear()
    again = run("class_means", settings, tmp_path / "means", reporter)
    assert not [stage for stage, _, _ in reporter.stages if stage.startswith("reading")]
    # The time of reading counts for these learners too, though another task has read the split.
    held = features_module._held[1]["train"].seconds
    assert all(entry.train_time_s >= held > 0 for entry in again.inits)

    mean = settings._replace(model=settings.model._replace(pooling="mean"))
    other = run("class_means", mean, tmp_path / "mean", reporter)
    assert other.inits[0].loss != again.inits[0].loss


@pytest.mark.parametrize("work", ["linear_probe", "linear_probe_few", "class_means"])
def test_a_stop_is_noticed_while_a_split_is_read(settings, tmp_path, make_reporter, work) -> None:
    with pytest.raises(Stopped):
        run(work, settings, tmp_path, make_reporter(1))


def test_adam_uses_the_samples_of_the_random_baseline_and_the_best_stage(
    settings, tmp_path, reporter
) -> None:
    outcome = run("adam", settings, tmp_path / "adam", reporter)
    assert (outcome.train_samples, outcome.chosen_lr in (1e-4, 1e-2)) == (NUM_CLASSES, True)
    assert outcome.gd_steps in (2, 4)
    plain = run("random", settings, tmp_path / "random", reporter)
    assert plain.stored_bytes == outcome.stored_bytes > 0
    # A repetition gives the same learners.
    again = run("adam", settings, tmp_path / "again", reporter)
    assert [e.loss for e in again.inits] == [e.loss for e in outcome.inits]


def test_an_interrupted_search_continues_to_the_same_result(
    settings, tmp_path, reporter, make_reporter
) -> None:
    whole = run("adam", settings, tmp_path / "whole", reporter)
    for stops in range(40):
        try:
            parts = run("adam", settings, tmp_path / "parts", make_reporter(stops + 1))
            break
        except Stopped:
            continue
    assert stops > 1
    assert [e.loss for e in parts.inits] == [e.loss for e in whole.inits]
    assert parts._replace(inits=[]) == whole._replace(inits=[])


def test_a_search_continues_from_the_notes_of_an_earlier_version(
    settings, tmp_path, reporter
) -> None:
    """That version noted one number per rate."""
    notes = json.dumps({str(lr): 0.5 + lr for lr in SGD_LRS}).encode()
    CheckpointStore(tmp_path, "rates", "chosen_lr.json").put(len(SGD_LRS), notes)
    outcome = run("random", settings, tmp_path, reporter)
    assert outcome.chosen_lr == max(SGD_LRS)


def test_a_rate_that_stays_far_behind_is_given_up(
    settings, tmp_path, reporter, monkeypatch
) -> None:
    accuracies = {0.1: (0.2, 0.7, 0.8, 0.9), 0.2: (0.0, 0.1, 0.75, 0.95), 0.3: (0.3, 0.8, 0.6, 1.0)}
    measured: list[float] = []

    def stages(seed: int, lr: float):
        for accuracy in accuracies[lr]:
            measured.append(lr)
            yield {"accuracy": torch.tensor(accuracy)}

    def measured_as(encoder, theta, tokens, precision):
        return SimpleNamespace(accuracy=theta["accuracy"].item())

    monkeypatch.setattr(rate_search, "measure", measured_as)
    bench = open_for_learners(task_of(settings, reporter, tmp_path, init_seeds=[1, 2]))
    choice = rate_search.choose(bench, tuple(accuracies), stages, [1, 2])
    assert choice == (0.2, 3), "0.75 is near enough, and what comes later counts"
    told = [done for stage, done, _ in reporter.stages if stage.startswith("choosing")]
    assert told == [1, 2, 2, 3, 4, 4, 5, 6, 6], "after each learner, and after each rate"
    assert [measured.count(lr) for lr in accuracies] == [8, 8, 6], "the fourth of 0.3 is not tried"


def test_setfit_tunes_the_encoder_on_pairs(settings, tmp_path, reporter) -> None:
    outcome = run("setfit_8", settings, tmp_path, reporter, SEEDS[:2])
    assert outcome.train_samples <= 8 * NUM_CLASSES
    assert outcome.gd_steps == -(-outcome.train_samples * 2 * 2 // setfit.BATCH_PAIRS)
    assert outcome.stored_bytes > 0
    tuning = [(done, total) for stage, done, total in reporter.stages if stage == "tuning"]
    assert tuning == [(step + 1, 2 * outcome.gd_steps) for step in range(2 * outcome.gd_steps)]
    assert len({entry.loss for entry in outcome.inits}) == 2


def test_pairs_have_the_same_class_half_of_the_time_and_never_a_text_twice() -> None:
    labels = [0, 0, 0, 1, 1, 2]
    pairs = pairs_of(labels, 5, random.Random(1))
    assert all(pair.first != pair.second for pair in pairs)
    assert all(pair.is_same == (labels[pair.first] == labels[pair.second]) for pair in pairs)
    # The only text of class 2 has no partner of its class.
    assert sum(pair.is_same for pair in pairs) == 5 * 5
    assert sum(not pair.is_same for pair in pairs) == 6 * 5
    assert pairs != sorted(pairs)


def test_bytes_of_texts_are_those_of_utf_8() -> None:
    split = Split(["aé", "b"], ["x", "yz"], [0, 1])
    assert content_bytes(split) == 3 + 1 + 1 + 2
    assert content_bytes(split, [1]) == 3
    assert content_bytes(split._replace(second=None), [0]) == 3


def test_full_data_and_distilled_data_report_their_bytes(
    settings, distilled, tmp_path, reporter
) -> None:
    tensors = distilled.folder / "distilled.safetensors"
    outcome = run_task("evaluate", settings, SEEDS[:1], str(distilled.folder), tmp_path, reporter)
    assert outcome.stored_bytes == tensors.stat().st_size
    short = settings._replace(full=settings.full._replace(epochs=1))
    full = run("full", short, tmp_path / "full", reporter, SEEDS[:1])
    assert full.stored_bytes > full.train_samples
