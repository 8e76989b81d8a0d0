"""The benchmarks that run `npm run experiment`, with a stand-in for that command."""

import argparse
import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import _experiments, neighbours

# As `npm run experiment -- --json` printed it, cut to two rows and two of its distillations.
RECORDED: dict[str, Any] = {
    "experiment_id": "01039264b9",
    "spec": {"preset": "PRESET_CPU", "model": {"name": "sentence-transformers/tiny"}},
    "over_seeds": [
        {
            "id": "full",
            "label": "Full data",
            "seeds": [0, 1],
            "learners": {"mean": 0.9, "std": None, "n": 1, "interval_95": None},
            "distillations": {"mean": 0.9, "std": None, "n": 1, "interval_95": None},
        },
        {
            "id": "distilled",
            "label": "Distilled data + SL unrestricted + AL cls",
            "seeds": [0, 1],
            "learners": {"mean": 0.54, "std": 0.0418, "n": 6, "interval_95": None},
            "distillations": {"mean": 0.54, "std": 0.0144, "n": 2, "interval_95": None},
        },
    ],
    "distillations": [
        {
            "seed": seed,
            "spec": {"preset": "PRESET_CPU", "model": {"name": "sentence-transformers/tiny"}},
            "rows": [
                {
                    "id": "full",
                    "label": "Full data",
                    "accuracy": {"mean": 0.9, "std": None, "n": 1, "interval_95": None},
                    "train_time_s": 1080.76,
                    "stored_bytes": 3_194_000,
                    "joules": 21_500.0,
                },
                {
                    "id": "distilled",
                    "label": "Distilled data + SL unrestricted + AL cls",
                    "accuracy": {"mean": 0.54, "std": 0.04, "n": 3, "interval_95": None},
                    "train_time_s": 0.5 + seed,
                    "stored_bytes": 2684,
                    "joules": None,
                },
            ],
            "tasks": [
                {"name": "Distillation", "wall_time_s": 100.0 + 20 * seed, "cpu_time_s": 180.0},
                {"name": "Evaluation", "wall_time_s": 7.0, "cpu_time_s": 12.0},
                {"name": "Evaluation", "wall_time_s": 8.0, "cpu_time_s": 12.0},
            ],
        }
        for seed in (0, 1)
    ],
}
FAILED = {"error": {"kind": "diverged", "message": "the outer loss is nan", "field": "outer.lr"}}

STAND_IN = """
import json, os, signal, sys, time
from pathlib import Path

folder = Path({folder!r})
with open(folder / "asked", "a") as asked:
    asked.write(json.dumps(sys.argv[1:]) + "\\n")
name = sys.argv[sys.argv.index("--dataset") + 1]
if name == "stopped":
    received = []
    signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    os.kill(os.getppid(), signal.SIGTERM)
    while not received:
        time.sleep(0.01)
answer = json.loads((folder / (name + ".json")).read_text())
print(json.dumps(answer["document"]))
sys.exit(answer["exit_code"])
"""


class StandIn:
    """Answers as told for each data set, and notes what it was asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        script = folder / "stand_in.py"
        script.write_text(STAND_IN.format(folder=str(folder)))
        self.command = [sys.executable, str(script)]

    def answers(self, name: str, document: object, exit_code: int = 0) -> None:
        answer = json.dumps({"document": document, "exit_code": exit_code})
        (self._folder / f"{name}.json").write_text(answer)

    @property
    def asked(self) -> list[list[str]]:
        return [json.loads(line) for line in (self._folder / "asked").read_text().splitlines()]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = StandIn(tmp_path)
    monkeypatch.setattr(_experiments, "COMMAND", made.command)
    return made


def test_a_row_has_both_spreads_cost_and_its_share_of_full_data(stand_in, capsys) -> None:
    stand_in.answers("topics", RECORDED)
    argv = ["--data-dir", "sets", "--datasets", "topics", "--common", "--compile", "--", "--lr=1"]
    assert neighbours.main(argv) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "## topics"
    assert "model sentence-transformers/tiny, preset cpu, but `--model minilm --data-dir" in told[2]
    assert told[2].endswith("--distillations 3 --compile --lr=1`")
    full, distilled = (line for line in told if line.startswith(("| Full", "| Distilled")))
    assert full == "| Full data | 90.0 |  |  | 100.0 | 3.2 MB | 1,080.8 | 21.5 kJ |"
    assert distilled == (
        "| Distilled data + SL unrestricted + AL cls | 54.0 | ± 4.2 | ± 1.4 | 60.0 | 2.7 kB "
        "| 1.0 |  |"
    )
    assert told[-2] == (
        "Seconds per distillation, and processor time: Distillation 110 (180), Evaluation 15 (24)."
    )
    (asked,) = stand_in.asked
    assert asked[:6] == ["--dataset", "topics", "--model", "minilm", "--data-dir", "sets"]
    assert asked[-3:] == ["--compile", "--lr=1", "--json"]


def test_energy_that_no_machine_told_has_no_column(stand_in, capsys) -> None:
    document = copy.deepcopy(RECORDED)
    for member in document["distillations"]:
        for row in member["rows"]:
            row["joules"] = None
    stand_in.answers("topics", document)
    neighbours.main(["--data-dir", "sets", "--datasets", "topics"])
    assert "energy" not in capsys.readouterr().out


def test_one_distillation_has_no_spread_between_distillations() -> None:
    alone = RECORDED["distillations"][0]
    full, distilled = neighbours.rows_of(alone)
    assert (full.of_full, distilled.of_full) == (1.0, pytest.approx(0.6))
    assert (distilled.between_learners, distilled.between_distillations) == (0.04, None)


def test_the_other_data_sets_follow_one_that_failed(stand_in, tmp_path, capsys) -> None:
    partly = copy.deepcopy(RECORDED)
    partly["distillations"].append({"seed": 2, **FAILED})
    stand_in.answers("failed", FAILED, 1)
    stand_in.answers("partly", partly, 1)
    stand_in.answers("topics", RECORDED)
    out = tmp_path / "out.json"
    argv = ["--data-dir", "sets", "--datasets", "failed,partly,topics", "--out", str(out)]
    assert neighbours.main(argv) == 1
    printed = capsys.readouterr()
    assert "failed: the outer loss is nan" in printed.err
    assert "not complete: failed, partly" in printed.err
    assert [line for line in printed.out.splitlines() if line.startswith("## ")] == [
        "## partly",
        "## topics",
    ]
    assert "Not complete: no result of seed 2." in printed.out
    sets = json.loads(out.read_text())["sets"]
    assert {name: each["failure"] for name, each in sets.items()} == {
        "failed": "the outer loss is nan",
        "partly": "no result of seed 2",
        "topics": None,
    }
    assert sets["topics"]["document"] == RECORDED
    assert [row["id"] for row in sets["topics"]["rows"]] == ["full", "distilled"]


def test_a_stop_waits_for_the_experiment_and_keeps_what_is_finished(
    stand_in, tmp_path, capsys
) -> None:
    stand_in.answers("topics", RECORDED)
    stand_in.answers("stopped", {"error": {"kind": "cancelled", "message": "interrupted"}}, 130)
    out = tmp_path / "out.json"
    sets = ["--datasets", "topics,stopped,never", "--json", "--out", str(out)]
    assert neighbours.main(["--data-dir", "sets", *sets]) == 130
    report = json.loads(capsys.readouterr().out)
    assert list(report["sets"]) == ["topics", "stopped"]
    assert report["sets"]["stopped"]["failure"] == "stopped; the same command continues"
    assert json.loads(out.read_text()) == report


@pytest.mark.parametrize(
    ("argv", "flags"),
    [
        ([], []),
        (["--common", "--compile"], ["--compile"]),
        (["--common=--compile"], ["--compile"]),
        (["--common", "--lr 1 --name 'a b'"], ["--lr", "1", "--name", "a b"]),
        (["--", "--compile", "--json"], ["--compile", "--json"]),
        (["--common", "--lr 1", "--", "--compile"], ["--lr", "1", "--compile"]),
    ],
)
def test_flags_of_the_experiment_are_told_from_those_of_the_benchmark(argv, flags) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    _experiments.add_common(parser)
    args, found = _experiments.parse(parser, argv)
    assert found == flags
    assert not args.json
