"""The rate of the full-data baseline, searched on validation."""

import sys

import pytest
from tasks_of import run

from stillhouse_worker.context.reporting import Stopped
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.tasks.full_training import full_baseline

SEEDS = [11]
LRS = (1e-5, 1e-4, 1e-3, 1e-2)
# Ends of the rungs of 18 steps.
ENDS = (5, 9, 18)


@pytest.fixture
def searching(settings, monkeypatch):
    monkeypatch.setattr(sys.modules[full_baseline.__module__], "FULL_LRS", LRS)
    return settings._replace(full=settings.full._replace(epochs=3, lr=0.0))


def full(settings, folder, reporter):
    return run("full", settings, SEEDS, "", folder, reporter)


def learners(outcome):
    return [each._replace(train_time_s=0.0) for each in outcome.inits]


def test_the_remaining_training_equals_one_with_its_rate_alone(
    searching, tmp_path, reporter
) -> None:
    outcome = full(searching, tmp_path / "searched", reporter)
    assert outcome.chosen_lr in LRS[2:], "the lower ones learn nothing in 18 steps"
    assert outcome.gd_steps == ENDS[-1]
    losses = [step for name, step, _ in reporter.metrics if name == "train_loss"]
    assert losses == list(range(1, 4 * ENDS[0] + 2 * (ENDS[1] - ENDS[0]) + ENDS[2] - ENDS[1] + 1))
    told = [line for _, line in reporter.lines if "of validation after step" in line]
    assert [line.split()[1].strip(":") for line in told[:4]] == [f"{lr:g}" for lr in LRS]
    assert len(told) == 4 + 2

    fixed = searching._replace(full=searching.full._replace(lr=outcome.chosen_lr))
    alone = full(fixed, tmp_path / "alone", reporter)
    assert learners(alone) == learners(outcome)
    assert alone.chosen_lr == 0


def test_an_interrupted_search_ends_in_the_same_learner(
    searching, tmp_path, reporter, make_reporter
) -> None:
    straight = full(searching, tmp_path / "straight", reporter)
    for stops in range(1, 100):
        try:
            broken = full(searching, tmp_path / "broken", make_reporter(stops))
            break
        except Stopped:
            pass
    assert stops > 3
    assert (learners(broken), broken.chosen_lr) == (learners(straight), straight.chosen_lr)


def test_rates_that_diverge_are_given_up(searching, tmp_path, reporter, monkeypatch) -> None:
    module = sys.modules[full_baseline.__module__]
    monkeypatch.setattr(module, "FULL_LRS", (1e-3, 1e30, 1e32, 1e34))
    assert full(searching, tmp_path / "one", reporter).chosen_lr == 1e-3
    given_up = [line for level, line in reporter.lines if level == "warning"]
    assert len(given_up) == 3
    assert given_up[0].startswith("rate 1e+30 is given up: the training loss is ")
    monkeypatch.setattr(module, "FULL_LRS", (1e30, 1e32))
    with pytest.raises(StillhouseError) as caught:
        full(searching, tmp_path / "none", reporter)
    assert caught.value.kind == "diverged"
