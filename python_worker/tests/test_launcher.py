"""The launcher with commands that stand in for Slurm's; the real ones are in test/integration."""

import io
import json
import os
from pathlib import Path

import pytest

from stillhouse_launcher.engine import Order, Refused, Settings, Status, Unknown
from stillhouse_launcher.lines import Lines
from stillhouse_launcher.slurm import Slurm

MIB = 1 << 20


def settings(tmp_path: Path, **options: str) -> Settings:
    return Settings(
        prefix="slurm-abc-",
        python="/py thon",
        workers="tcp://h:1",
        grpc="h:2",
        keys=None,
        work_dir="/work",
        logs=str(tmp_path),
        leave_after_s=600,
        options={name.replace("_", "-"): value for name, value in options.items()},
    )


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Makes a command that writes its arguments and input, prints a text and ends with a code."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    def make(name: str, printed: str = "", errors: str = "", code: int = 0) -> Path:
        path, told = tmp_path / "bin" / name, tmp_path / f"{name}.told"
        (tmp_path / f"{name}.out").write_text(printed)
        (tmp_path / f"{name}.err").write_text(errors)
        path.write_text(
            f'#!/bin/sh\n(printf "%s\\n" "$@"; env; cat) > {told}\n'
            f"cat {tmp_path}/{name}.out; cat {tmp_path}/{name}.err >&2; exit {code}\n"
        )
        path.chmod(0o755)
        return told

    return make


def test_a_job_has_the_name_of_its_launch_and_what_its_order_says(command, tmp_path, monkeypatch):
    monkeypatch.setenv("STILLHOUSE_TOKEN", "sth_secret")
    command("squeue")
    told = command("sbatch", "7")
    slurm = Slurm(settings(tmp_path, partition="p", memory="100", gpu_type="h100"))
    slurm.launch(Order("slurm-abc-1", "cpu", 1, 300 * MIB + 1))
    lines = told.read_text().splitlines()
    for flag in ("--job-name=slurm-abc-1", "--partition=p", "--mem=301M", "--no-requeue"):
        assert flag in lines
    assert not [line for line in lines if "gres" in line or "secret" in line]
    script = lines[-1]
    assert script.startswith("exec '/py thon' -P -m stillhouse_worker worker --connect tcp://h:1")
    assert "--id slurm-abc-1 --device cpu" in script
    slurm.launch(Order("slurm-abc-2", "cuda", 2, 300 * MIB))
    lines = told.read_text().splitlines()
    assert "--gres=gpu:h100:2" in lines
    assert "--mem=100M" in lines, "the memory of a GPU is not asked for"


def test_what_is_asked_for_twice_is_started_once(command, tmp_path):
    command("squeue", "slurm-abc-1|7|RUNNING|n1|None\n")
    told = command("sbatch", "8")
    Slurm(settings(tmp_path)).launch(Order("slurm-abc-1", "cpu", 1, 0))
    assert not told.exists()


def test_jobs_of_others_and_ended_ones_are_left_out_and_unknown_states_count_as_alive(
    command, tmp_path
):
    rows = ("1|1|PENDING||Resources", "2|2|RUNNING|n1|None", "3|3|COMPLETING|n1|None")
    own = [f"slurm-abc-{row}" for row in (*rows, "4|4|UNHEARD_OF|n2|None", "5|5|NODE_FAIL||None")]
    command("squeue", "\n".join([*own, "slurm-other-9|9|RUNNING|n1|None", "a|10|RUNNING|n1|x|y"]))
    assert Slurm(settings(tmp_path)).live() == [
        Status("slurm-abc-1", "pending", "Resources"),
        Status("slurm-abc-2", "running", "", "n1"),
        Status("slurm-abc-4", "running", "", "n2"),
    ]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("sbatch: error: invalid partition specified: x", Refused),
        ("slurm_load_jobs error: Socket timed out on send/recv operation", Unknown),
        ("squeue: error: Unable to contact slurm controller (connect failure)", Unknown),
    ],
)
def test_only_an_answer_is_a_refusal(command, tmp_path, said, expected):
    command("squeue", errors=f"something before\n{said}\n", code=1)
    with pytest.raises(expected, match=r"squeue: .+") as caught:
        Slurm(settings(tmp_path)).live()
    assert said in str(caught.value)


def test_an_end_has_its_reason_and_the_last_lines_of_its_log(command, tmp_path):
    command("squeue", "slurm-abc-1|7|RUNNING|n1|None\n")
    told = command(
        "scontrol", "JobId=7 JobName=x JobState=OUT_OF_MEMORY ExitCode=0:125 Reason=None"
    )
    (tmp_path / "slurm-abc-1.log").write_text("one\ntwo\n")
    slurm = Slurm(settings(tmp_path))
    slurm.live()
    end = slurm.end_of("slurm-abc-1")
    assert end == Status(
        "slurm-abc-1", "ended", "Slurm says OUT_OF_MEMORY, exit code 0:125", log_tail="one\ntwo"
    )
    assert "7" in told.read_text().splitlines()
    assert slurm.end_of("slurm-abc-9").reason == "Slurm has it no more in its queue"


def test_an_unknown_option_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"no option 'color'; it has account, constraint, cpus"):
        Slurm(settings(tmp_path, color="red"))


class Engine:
    """One that does what it is told at once."""

    poll_s = 0.0
    changes = None

    def __init__(self, _: Settings) -> None:
        self.running: dict[str, Status] = {}

    def launch(self, order: Order) -> None:
        if order.memory_bytes > MIB:
            raise Refused("too large")
        self.running[order.launch_id] = Status(order.launch_id, "running", node="n1")

    def live(self) -> list[Status]:
        return list(self.running.values())

    def end_of(self, launch_id: str) -> Status:
        return Status(launch_id, "ended", "gone")

    def stop(self, launch_id: str) -> None:
        self.kill(launch_id)

    def kill(self, launch_id: str) -> None:
        if self.running.pop(launch_id, None) is None:
            raise Unknown("no answer")


def test_every_question_is_answered_and_every_change_is_told(tmp_path):
    reads, writes = os.pipe()
    answers = io.StringIO()
    order = {"launch_id": "a", "device": "cpu", "num_devices": 1, "memory_bytes": 0}
    questions = [
        {"id": 0, "op": "list"},
        {
            "id": 1,
            "op": "open",
            "engine": "engine",
            "settings": settings(tmp_path)._asdict(),
        },
        {"id": 2, "op": "launch", "order": order},
        {"id": 3, "op": "launch", "order": {**order, "memory_bytes": 2 * MIB}},
        {"id": 4, "op": "list"},
        {"id": 5, "op": "kill", "launch_id": "b"},
        {"id": 6, "op": "nothing"},
    ]
    os.write(writes, "".join(json.dumps(question) + "\n" for question in questions).encode())
    os.close(writes)
    Lines({"engine": Engine}, reads, answers).serve()
    os.close(reads)
    said = {line["id"]: line for line in map(json.loads, answers.getvalue().splitlines())}
    assert said[0]["error"] == "the first question must be open"
    assert said[2] == {"id": 2, "ok": None}
    assert said[3] == {"id": 3, "error": "too large", "is_refusal": True}
    assert said[4]["ok"] == [Status("a", "running", node="n1")._asdict()]
    assert said[5] == {"id": 5, "error": "no answer", "is_refusal": False}
    assert "no question 'nothing'" in said[6]["error"]


def test_what_is_asked_of_an_engine_that_cannot_be_opened_is_refused_for_that_reason(tmp_path):
    reads, writes = os.pipe()
    answers = io.StringIO()
    given = settings(tmp_path, color="red")._asdict()
    opening = {"id": 0, "op": "open", "engine": "slurm", "settings": given}
    # Nobody waits for an answer before the next question.
    for question in (opening, {"id": 1, "op": "list"}):
        os.write(writes, (json.dumps(question) + "\n").encode())
    os.close(writes)
    Lines({"slurm": Slurm}, reads, answers).serve()
    os.close(reads)
    for line in map(json.loads, answers.getvalue().splitlines()):
        assert (line["is_refusal"], line["error"][:26]) == (True, "slurm has no option 'color")


def test_a_change_is_told_without_a_question(tmp_path):
    (reads, asks), (told, writes) = os.pipe(), os.pipe()
    engine = Engine(settings(tmp_path))
    engine.running["a"] = Status("a", "pending", "Resources")
    lines = Lines({"engine": lambda _: engine}, reads, os.fdopen(writes, "w"))
    question = {"id": 0, "op": "open", "engine": "engine"}
    opening = json.dumps({**question, "settings": settings(tmp_path)._asdict()})
    os.write(asks, f'{opening}\n{{"id": 1, "op": "list"}}\n'.encode())

    with os.fdopen(told) as answers:
        # Each turn of the loop is a poll, as the engine's interval is zero.
        engine.live = iter_then_close(engine, asks).__next__  # type: ignore[method-assign]
        lines.serve()
        lines._answers.close()
        events = [json.loads(line) for line in answers]
    assert [event["status"]["phase"] for event in events[2:]] == ["running", "ended"]
    assert events[-1]["status"]["reason"] == "gone"


def iter_then_close(engine: Engine, asks: int):
    yield [Status("a", "pending", "Resources")]
    yield [Status("a", "pending", "Resources")]
    yield [Status("a", "running", node="n1")]
    os.close(asks)
    while True:
        yield []
