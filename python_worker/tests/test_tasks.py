"""Every kind of task on a tiny encoder and set, whole and interrupted."""

import itertools
import json
import sys
import time
from pathlib import Path

import pytest
import torch
from tasks_of import run as run_task
from tasks_of import task_of

from stillhouse_worker.artifacts import TENSORS_NAME, load_artifact
from stillhouse_worker.context.bench import open_bench
from stillhouse_worker.context.reporting import Stopped
from stillhouse_worker.context.resumable_loop import ResumableLoop
from stillhouse_worker.context.training_checkpoints import CheckpointTimes
from stillhouse_worker.datasets import Reading, load_dataset
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.evaluation import measure
from stillhouse_worker.evaluation.rate_search import SGD_LRS
from stillhouse_worker.tasks.distill import Distillation, distill

SEEDS = [11, 12, 13]


def bytes_of(folder: Path) -> bytes:
    return (folder / TENSORS_NAME).read_bytes()


def run(work: str, settings, folder: Path, reporter, artifact: str = ""):
    return run_task(work, settings, SEEDS, artifact, folder, reporter)


def without_times(outcome):
    inits = [entry._replace(train_time_s=0.0) for entry in outcome.inits]
    return outcome._replace(inits=inits)


def until_done(work: str, settings, folder: Path, make_reporter, artifact=""):
    """Run with a stop after one report, then after two, and so on; the outcome and the stops."""
    for stops in range(100):
        try:
            return run(work, settings, folder, make_reporter(stops + 1), artifact), stops
        except Stopped:
            pass
    raise AssertionError("the task does not get on")


@pytest.mark.parametrize("labels", ["hard", "restricted", "unrestricted"])
@pytest.mark.parametrize("attention", ["none", "cls", "all"])
def test_every_label_kind_distils_and_evaluates(
    settings, tmp_path, reporter, labels, attention
) -> None:
    chosen = settings._replace(
        distilled=settings.distilled._replace(class_labels=labels, attention_labels=attention),
        outer=settings.outer._replace(num_steps=2),
    )
    outcome = run("distill", chosen, tmp_path / "d", reporter)
    data = load_artifact(outcome.folder).data
    assert data.x.shape == (2, 6, 16)
    assert ((data.attention_labels and data.attention_labels.kind) or "none") == attention
    learners = run("evaluate", chosen, tmp_path / "e", reporter, str(outcome.folder))
    assert [entry.init_seed for entry in learners.inits] == SEEDS
    assert (learners.train_samples, learners.gd_steps) == (2, 1)


def test_the_same_seed_gives_the_same_distilled_bytes(
    settings, distilled, tmp_path, reporter
) -> None:
    again = distill(task_of(settings, reporter, tmp_path))
    assert bytes_of(again.folder) == bytes_of(distilled.folder)


@pytest.mark.parametrize("select", [True, False])
@pytest.mark.parametrize("learn_lr", ["none", "per_step"])
def test_an_interrupted_distillation_ends_in_the_same_bytes(
    settings, tmp_path, reporter, make_reporter, select, learn_lr
) -> None:
    chosen = settings._replace(
        select=select, distilled=settings.distilled._replace(num_steps=2, learn_lr=learn_lr)
    )
    straight = distill(task_of(chosen, reporter, tmp_path / "straight"))
    broken, stops = until_done("distill", chosen, tmp_path / "broken", make_reporter)
    assert stops >= 3
    assert bytes_of(straight.folder) == bytes_of(broken.folder)
    assert (straight.kept_step, straight.validation_accuracy) == (
        broken.kept_step,
        broken.validation_accuracy,
    )


def save(distillation: Distillation) -> None:
    """Write a checkpoint, as the loop does."""
    ResumableLoop(distillation.task, "outer step", distillation).save()


def test_a_kill_between_checkpoints_only_repeats_steps(
    settings, distilled, tmp_path, reporter
) -> None:
    killed = Distillation(task_of(settings, reporter, tmp_path / "killed"))
    for _ in range(5):
        killed.advance()
        if killed.loop.step == 3:
            save(killed)  # two more steps follow before the process is killed
    resumed = distill(task_of(settings, reporter, tmp_path / "killed"))
    assert bytes_of(distilled.folder) == bytes_of(resumed.folder)


def test_a_damaged_checkpoint_is_named_and_the_run_starts_again(
    settings, distilled, tmp_path, reporter
) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    (folder / "checkpoint.safetensors").write_bytes(b"not a checkpoint")  # of an earlier version
    again = distill(task_of(settings, reporter, folder))
    assert bytes_of(distilled.folder) == bytes_of(again.folder)
    assert any("checkpoint" in line for level, line in reporter.lines if level == "warning")


def checkpoints_of(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / "checkpoints").glob(f"{kind}-*"))


def test_a_run_continues_from_the_checkpoint_before_a_damaged_one(
    settings, distilled, tmp_path, reporter, make_reporter
) -> None:
    folder = tmp_path / "broken"
    for polls in (2, 3):
        with pytest.raises(Stopped):
            distill(task_of(settings, make_reporter(polls), folder))
    earlier, newest = checkpoints_of(folder, "training")
    newest.write_bytes(newest.read_bytes()[:-1])
    again = distill(task_of(settings, reporter, folder))
    assert bytes_of(distilled.folder) == bytes_of(again.folder)
    step = int(earlier.name.split("-")[1])
    assert ("info", f"resumed at outer step {step}") in reporter.lines


def test_an_attempt_that_was_given_up_cannot_disturb_its_successor(
    settings, distilled, tmp_path, reporter
) -> None:
    folder = tmp_path / "task"
    stale = Distillation(task_of(settings, reporter, folder))
    stale.advance()
    save(stale)
    outcome = distill(task_of(settings, reporter, folder, scratch=folder / "attempts" / "2"))
    # It keeps writing after its successor has finished, and its checkpoint is of an earlier step.
    stale.advance()
    save(stale)
    assert bytes_of(outcome.folder) == bytes_of(distilled.folder)
    again = distill(task_of(settings, reporter, folder, scratch=folder / "attempts" / "3"))
    assert bytes_of(again.folder) == bytes_of(distilled.folder)
    assert ("info", f"resumed at outer step {settings.outer.num_steps}") in reporter.lines


def test_a_run_of_an_earlier_version_is_resumed(
    settings, distilled, tmp_path, reporter, make_reporter
) -> None:
    folder = tmp_path / "old"
    with pytest.raises(Stopped):
        distill(task_of(settings, make_reporter(2), folder))
    (path,) = checkpoints_of(folder, "training")
    path.rename(folder / "checkpoint.safetensors")
    again = distill(task_of(settings, reporter, folder))
    assert bytes_of(distilled.folder) == bytes_of(again.folder)
    assert any("resumed at outer step" in line for _, line in reporter.lines)


def test_distillation_learns_the_two_topics(settings, tmp_path, reporter) -> None:
    longer = settings._replace(outer=settings.outer._replace(num_steps=150, lr=0.1))
    outcome = run("distill", longer, tmp_path / "d", reporter)
    losses = [value for name, _, value in reporter.metrics if name == "outer_loss"]
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    learners = run("evaluate", longer, tmp_path / "e", reporter, str(outcome.folder))
    untrained = run("untrained", longer, tmp_path / "u", reporter)
    mean = sum(entry.accuracy for entry in learners.inits) / len(SEEDS)
    before = sum(entry.accuracy for entry in untrained.inits) / len(SEEDS)
    assert mean >= 0.85
    assert mean > before


def test_fixed_init_tests_the_head_that_was_distilled_for(settings, tmp_path, reporter) -> None:
    fixed = settings._replace(
        model=settings.model._replace(fixed_init=True), outer=settings.outer._replace(num_steps=2)
    )
    outcome = run("distill", fixed, tmp_path / "d", reporter)
    learners = run("evaluate", fixed, tmp_path / "e", reporter, str(outcome.folder))
    assert len({entry._replace(init_seed=0, train_time_s=0) for entry in learners.inits}) == 1


def test_x_from_real_samples_starts_at_embedded_texts_of_each_class(
    settings, tmp_path, reporter
) -> None:
    real = settings._replace(distilled=settings.distilled._replace(x_init="real"))
    run_ = Distillation(task_of(real, reporter, tmp_path))
    bench, x = run_.bench, run_.loop.phi["x"].detach()
    cls = bench.splits["train"].input_ids[:1].long()
    expected = bench.encoder.embed(cls[None], torch.zeros_like(cls)[None])[0, 0]
    torch.testing.assert_close(x[0, 0], expected)
    torch.testing.assert_close(x[1, 0], expected)


def test_checkpoints_take_a_hundredth_of_a_run_at_most(monkeypatch) -> None:
    now, saved = 0.0, []
    monkeypatch.setattr(time, "monotonic", lambda: now)
    checkpoints = CheckpointTimes()

    def save() -> None:
        nonlocal now
        saved.append(now)
        now += 0.5 if len(saved) < 3 else 0.1

    while now < 200:
        checkpoints.save_if_due(save)
        now += 1
    # 50 s after a save that took half a second, but never sooner than after 20 s.
    assert saved == pytest.approx([20, 70.5, 121, 141.1, 161.2, 181.3], abs=1.1)


def test_the_learners_of_a_validation_share_out_its_rows(
    settings, tmp_path, reporter, monkeypatch
) -> None:
    texts: list[list[int]] = []

    def noted(encoder, theta, tokens, precision):
        bounds = itertools.pairwise(tokens.offsets.tolist())
        texts.append([hash(tuple(tokens.input_ids[a:b].tolist())) for a, b in bounds])
        return measure(encoder, theta, tokens, precision)

    monkeypatch.setattr(sys.modules[distill.__module__], "measure", noted)
    settings = settings._replace(outer=settings.outer._replace(num_steps=1))
    for count, sizes in ((5, [3, 3, 2, 2, 2]), (100, [1] * 12)):
        texts.clear()
        own = settings._replace(validations=1, validation_inits=count)
        outcome = run("distill", own, tmp_path / str(count), reporter)
        assert [len(part) for part in texts] == sizes
        assert outcome.validation_accuracy in [right / 12 for right in range(13)]
    whole = sorted(itertools.chain(*texts))
    texts.clear()
    run("distill", settings._replace(validations=1), tmp_path / "one", reporter)
    assert sorted(texts[0]) == whole


def test_untrained_learners_are_near_chance(settings, tmp_path, reporter) -> None:
    outcome = run("untrained", settings, tmp_path, reporter)
    assert (outcome.train_samples, outcome.gd_steps, outcome.chosen_lr) == (0, 0, 0.0)
    assert 0.1 < sum(entry.accuracy for entry in outcome.inits) / 3 < 0.9
    bench = open_bench(task_of(settings, reporter, tmp_path), ("test",))
    for entry in outcome.inits:
        theta = bench.test_learner(entry.init_seed)
        whole = measure(bench.learner, theta, bench.splits["test"], "fp32")
        assert (entry.accuracy, entry.confusion) == (whole.accuracy, whole.confusion)
        assert entry.loss == pytest.approx(whole.loss, rel=1e-5)


@pytest.mark.parametrize("work", ["random", "herding", "kcenter"])
def test_a_baseline_of_real_samples_uses_the_best_rate_on_validation(
    settings, tmp_path, reporter, work
) -> None:
    outcome = run(work, settings, tmp_path, reporter)
    scores = [value for name, _, value in reporter.metrics if name == "validation_accuracy"]
    assert outcome.chosen_lr == SGD_LRS[scores.index(max(scores))]
    assert (outcome.train_samples, outcome.gd_steps) == (2, 1)


def test_full_baseline_learns_the_set(settings, tmp_path, reporter) -> None:
    longer = settings._replace(full=settings.full._replace(epochs=10, lr=5e-3))
    outcome = run("full", longer, tmp_path, reporter)
    assert outcome.inits[0].accuracy >= 0.9
    assert (outcome.train_samples, outcome.gd_steps) == (48, 60)


def test_a_full_baseline_whose_every_step_overflows_in_fp16_fails(
    settings, tmp_path, reporter, monkeypatch
) -> None:
    # A scaler notices that a step overflowed by values that are not finite after unscaling.
    def overflow(
        scaler: torch.amp.GradScaler, optimizer: torch.optim.Optimizer, *_arguments: float
    ) -> None:
        scaler.unscale_(optimizer)
        state = scaler._per_optimizer_states[id(optimizer)]
        state["found_inf_per_device"] = {
            device: torch.ones_like(found)
            for device, found in state["found_inf_per_device"].items()
        }

    monkeypatch.setattr(torch.amp.GradScaler, "step", overflow)
    fp16 = settings._replace(precision="fp16", full=settings.full._replace(epochs=20))
    with pytest.raises(StillhouseError, match="fp16 overflowed in 25 steps") as caught:
        run("full", fp16, tmp_path, reporter)
    assert caught.value.kind == "diverged"


def test_every_learner_has_its_confusion_matrix_and_the_time_of_its_training(
    settings, tmp_path, reporter
) -> None:
    outcome = run("full", settings, tmp_path, reporter)
    (entry,) = outcome.inits
    confusion = torch.tensor(entry.confusion).view(2, 2)
    assert confusion.sum(1).tolist() == [15, 15]  # test rows of each class
    assert entry.accuracy == confusion.diagonal().sum().item() / 30
    assert entry.train_time_s > 0


@pytest.mark.parametrize("work", ["full", "random", "herding", "untrained", "evaluate"])
def test_an_interrupted_task_gives_the_same_learners(
    settings, distilled, tmp_path, reporter, make_reporter, work
) -> None:
    artifact = str(distilled.folder) if work == "evaluate" else ""
    straight = run(work, settings, tmp_path / "straight", reporter, artifact)
    broken, stops = until_done(work, settings, tmp_path / "broken", make_reporter, artifact)
    assert stops >= 1
    assert without_times(straight) == without_times(broken)


def test_a_distillation_reads_no_test_rows(settings, tmp_path, reporter) -> None:
    run_ = Distillation(task_of(settings, reporter, tmp_path))
    assert set(run_.bench.dataset.splits) == set(run_.bench.splits) == {"train", "validation"}


def test_a_data_set_that_changed_since_it_was_resolved_is_refused(
    settings, reporter, tmp_path
) -> None:
    stale = settings._replace(data=settings.data._replace(fingerprint="0" * 64))
    with pytest.raises(StillhouseError, match="has changed since the experiment was created"):
        open_bench(task_of(stale, reporter, tmp_path), ("train",))


def test_finished_learners_survive_in_the_work_folder(settings, tmp_path, make_reporter) -> None:
    with pytest.raises(Stopped):
        run("untrained", settings, tmp_path, make_reporter(1))
    path = checkpoints_of(tmp_path, "learners")[-1]
    assert 1 <= len(json.loads(path.read_text())["value"]) < 3


def test_splits_of_the_tiny_set_are_what_the_tests_rely_on(tiny_data_dir) -> None:
    dataset = load_dataset(
        "topics",
        source="local",
        data_dir=str(tiny_data_dir),
        splits=(),
        reading=Reading(0.2, 0.2, "refuse"),
    )
    assert dataset.num_rows == {"train": 48, "validation": 12, "test": 30}
