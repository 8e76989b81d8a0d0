"""The search for settings: the same suggestion for the same history, within the space, and useful."""

import json
import math
from typing import Any

import pytest

from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.inspection import questions as inspection
from stillhouse_worker.inspection.search import suggested

SPACE = {
    "lr": {"low": 0.001, "high": 0.1, "integer": False, "log": True},
    "steps": {"low": 1, "high": 4, "integer": True, "log": False},
    "sl": {"choices": ["none", "restricted"]},
}


def value_of(settings: dict[str, Any]) -> float:
    """An objective with its maximum, 1, at lr 0.01 with restricted labels."""
    return 1 - abs(math.log10(settings["lr"] / 0.01)) - 0.5 * (settings["sl"] == "none")


def searched(count: int, seed: int) -> list[dict[str, Any]]:
    trials: list[dict[str, Any]] = []
    for _ in range(count):
        settings = suggested(SPACE, trials, seed)
        trials.append({"settings": settings, "value": value_of(settings), "failed": False})
    return trials


def test_a_search_is_deterministic_and_continues_from_stored_trials() -> None:
    trials = searched(14, seed=3)
    assert searched(14, seed=3) == trials
    assert suggested(SPACE, trials[:12], 3) == trials[12]["settings"]
    assert searched(2, seed=4) != trials[:2]


def test_suggestions_lie_in_the_space() -> None:
    for trial in searched(14, seed=0):
        settings = trial["settings"]
        assert 0.001 <= settings["lr"] <= 0.1
        assert settings["steps"] in (1, 2, 3, 4)
        assert settings["sl"] in ("none", "restricted")


def test_later_trials_are_better_than_the_first_ones() -> None:
    values = [trial["value"] for trial in searched(40, seed=0)]
    assert sum(values[-10:]) / 10 > sum(values[:10]) / 10 + 0.2


def test_trials_that_failed_or_still_run_are_taken_into_account() -> None:
    trials = searched(12, seed=0)
    trials[3] |= {"value": None, "failed": True}
    trials[11] |= {"value": None}
    assert set(suggested(SPACE, trials, 0)) == set(SPACE)


def test_the_inspection_answers_with_the_suggestion() -> None:
    answer = json.loads(inspection.suggest(json.dumps({"space": SPACE, "trials": [], "seed": 3})))
    assert answer == {"ok": suggested(SPACE, [], 3)}
    wrong = json.loads(inspection.suggest(json.dumps({"space": [], "trials": [], "seed": 3})))
    assert wrong["failure"]["message"] == "space must be an object or null, got []"


def test_a_space_that_cannot_be_searched_is_refused() -> None:
    with pytest.raises(StillhouseError, match="cannot be used"):
        suggested({"lr": {"low": 0, "high": 1, "integer": False, "log": True}}, [], 0)
