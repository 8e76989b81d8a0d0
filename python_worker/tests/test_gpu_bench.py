"""The benchmark of a GPU at its tiny size: its parts on a CPU, and what it does when one fails."""

import gc
import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench._gpu import compiled, graphs, memory, meta_gradient, minilm, precision, study
from bench._gpu.part import Options, Row
from bench._gpu.parts import PARTS
from bench._gpu.report import exit_code_of
from bench._gpu.runner import ROOT, PartReport, run_part, run_parts
from bench._meta_problem import Case, setting_of, work_of
from bench._random_encoders import TINY, random_encoder
from stillhouse_worker.distillation.meta_gradient import METHODS

CPU = torch.device("cpu")


def _options(**given: Any) -> Options:
    return Options("cpu", True, "", "", "topics", time.time() + 600)._replace(**given)


@pytest.fixture(autouse=True)
def quick_collections() -> Iterator[None]:
    """As in the process of a part: measurements collect garbage often."""
    gc.freeze()
    yield
    gc.unfreeze()


# Of the part meta-gradient the rows are alike.
@pytest.mark.parametrize(
    ("part", "num_rows"), [(precision, 4), (memory, 5), (meta_gradient, 1), (study, 8)]
)
def test_a_part_measures_on_a_cpu_too(part: Any, num_rows: int) -> None:
    rows = list(itertools.islice(part.rows(_options()), num_rows))
    assert len(rows) == num_rows
    assert {row.verdict for row in rows} <= {"passed", "measured"}, rows
    json.dumps([row.figures for row in rows])


def test_minilm_distils_and_tests_learners(tiny_model: Path, tiny_data_dir: Path) -> None:
    options = _options(model=str(tiny_model), data_dir=str(tiny_data_dir))
    distilling, learners = minilm.rows(options)
    assert distilling.figures["steps"] == minilm.TINY_STEPS
    assert distilling.figures["last_loss"] > 0
    assert min(learners.figures["accuracies"]) >= 0


@pytest.mark.parametrize("part", [graphs, compiled])
def test_what_needs_cuda_says_so_where_there_is_none(part: Any) -> None:
    assert [row.verdict for row in part.rows(_options())] == ["skipped"]


def test_a_part_whose_time_is_up_says_what_it_did_not_reach() -> None:
    assert list(study.rows(_options(deadline=0.0))) == [
        Row("8 more", "the time of this part was up", "skipped", {})
    ]


class _Calls(TorchDispatchMode):
    """Counts the operators of PyTorch that run."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[func.name()] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", graphs.NAMES)
def test_what_is_captured_copies_no_number_to_the_device_and_reads_none(name: str) -> None:
    case = Case(2, 6, "cls", "fp32", 100, 100)
    ordinary = setting_of(case, random_encoder(TINY, CPU))
    fixed = graphs._with_fixed_rates(ordinary, case, name)
    with _Calls() as calls:
        result = work_of(fixed, name)()
    assert calls.counts.total() > 1000
    # `lift_fresh` is what becomes of a number of Python, the other one of `item`.
    assert not {"aten::lift_fresh", "aten::_local_scalar_dense"} & calls.counts.keys()
    if name in METHODS:
        expected = work_of(ordinary, name)().grads
        assert all(torch.equal(result.grads[each], expected[each]) for each in expected)


def _bench(output: Path, *words: str) -> list[str]:
    command = [sys.executable, "-m", "bench.gpu", "--tiny", "--device", "cpu"]
    return [*command, "--output", str(output), *words]


def test_it_goes_on_after_a_part_that_failed_and_writes_both_files(tmp_path: Path) -> None:
    missing = ["--model", str(tmp_path / "none"), "--data-dir", str(tmp_path)]
    command = _bench(tmp_path, "--parts", "minilm,graphs", *missing, "--commit", "abc")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    document = json.loads((tmp_path / "gpu.json").read_text())
    failed, skipped = document["parts"]
    assert (failed["name"], failed["status"], failed["rows"]) == ("minilm", "failed", [])
    assert "none" in failed["error"]
    assert "Traceback" in failed["last_lines"][0]
    assert (skipped["status"], skipped["rows"][0]["verdict"]) == ("done", "skipped")
    assert document["machine"]["torch"] == torch.__version__
    assert document["commit"] == "abc"
    table = (tmp_path / "gpu.md").read_text()
    assert done.stdout == table
    assert f"| minilm |  | {failed['error']} | failed |" in table


def test_a_part_that_takes_too_long_is_ended() -> None:
    report = run_part("exactness", _options(), 0.2, threading.Event())
    assert (report.status, report.error) == ("over its time", "ended after 0 s")
    assert exit_code_of([report]) == 1


def test_ctrl_c_ends_the_part_that_runs_and_writes_what_there_is(tmp_path: Path) -> None:
    command = _bench(tmp_path, "--parts", "exactness,study")
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("[1/2] exactness")
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    assert process.returncode == 130
    parts = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    assert [part["status"] for part in parts] == ["interrupted", "not run"]


def test_parts_share_the_time_that_is_left_by_their_weights() -> None:
    parts = {"one": PARTS["exactness"]._replace(needs=("model",)), "two": PARTS["study"]}
    stopped = threading.Event()
    stopped.set()
    lines: list[str] = []
    reports = list(run_parts(["one", "two"], _options(), stopped, lines.append, parts))
    assert [report.status for report in reports] == ["skipped", "not run"]
    assert lines == ["[1/2] one: skipped: no --model"]
    assert exit_code_of([PartReport("one", "skipped")]) == 0
