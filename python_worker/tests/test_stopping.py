"""A stop is heard while a task is loading, whatever it loads."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import zmq
from test_convert import RESOLVED

from stillhouse_proto.v1 import worker_pb2
from stillhouse_worker import convert
from stillhouse_worker.datasets import load_dataset, tokenise
from stillhouse_worker.datasets.loading import Reading
from stillhouse_worker.datasets.rows import Split
from stillhouse_worker.models.catalog import model_fingerprint
from stillhouse_worker.models.opened import load_encoder
from stillhouse_worker.models.packaged import packaged_model_folder
from stillhouse_worker.stopping import may_stop, stoppable

READING = Reading(validation_fraction=0.2, test_fraction=0.2, bad_rows="refuse")


class Ended(Exception):
    """What a check ends the work with."""


def raising_after(calls: int):
    """A check that raises when it is called once more than ``calls`` times."""
    left = iter(range(calls))

    def check() -> None:
        if next(left, None) is None:
            raise Ended

    return check


def num_checks(work) -> int:
    """How often ``work`` asks."""
    asked: list[None] = []
    with stoppable(lambda: asked.append(None)):
        work()
    return len(asked)


def reads_rows(folder: Path):
    rows = [json.dumps({"text": f"text {row}", "label": "ab"[row % 2]}) for row in range(100)]
    (folder / "train.jsonl").write_text("\n".join(rows))
    name, data_dir = folder.name, str(folder.parent)
    return lambda: load_dataset(
        name, source="local", data_dir=data_dir, splits=("train",), reading=READING
    )


def hashes_model(folder: Path):
    return lambda: model_fingerprint(packaged_model_folder())


def opens_model(folder: Path):
    return lambda: load_encoder(packaged_model_folder())


def tokenises(folder: Path):
    def tokenizer(texts, *_, **__):
        return {"input_ids": [[1]] * len(texts), "token_type_ids": [[0]] * len(texts)}

    split = Split(["text"] * 10_000, None, [0] * 10_000)
    return lambda: tokenise(split, tokenizer, 8)


@pytest.mark.parametrize(
    ("work", "fewest"),
    [(reads_rows, 200), (hashes_model, 20), (opens_model, 50), (tokenises, 9)],
)
def test_loading_asks_often_whether_to_stop(tmp_path, work, fewest) -> None:
    load = work(tmp_path)
    asked = num_checks(load)
    assert asked >= fewest
    for calls in (0, asked - 1):
        with pytest.raises(Ended), stoppable(raising_after(calls)):
            load()


def test_nothing_stops_outside_of_a_block() -> None:
    with pytest.raises(Ended), stoppable(raising_after(0)):
        may_stop()
    may_stop()


# Stands in for an import or a call of a library that lasts, and in which no stop is heard.
DEAF = """
import sys, time
from stillhouse_worker.process import task_thread
def deaf(work, task):
    task.reporter.progress("loading", 0, 1, {})
    while True:
        time.sleep(1)
task_thread.execute = deaf
from stillhouse_worker.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
# A net, far beyond what it takes.
PATIENCE_MS = 300_000


def test_a_process_ends_at_once_where_a_task_that_loads_does_not_hear_the_stop(
    tmp_path,
) -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")
        flags = ["--connect", f"tcp://127.0.0.1:{port}", "--id", "w", "--work-dir", str(tmp_path)]
        worker = subprocess.Popen([sys.executable, "-c", DEAF, "worker", *flags])
        try:
            kinds = _serve(router, worker)
            assert worker.wait(PATIENCE_MS / 1000) == 0
        finally:
            worker.kill()
            worker.wait()
    assert kinds == ["stopped", "goodbye"]


def _serve(router, worker) -> list[str]:
    """Give the worker a task, end it, and say what it reported from then on."""
    spec, said = convert.spec_from_json(json.dumps(RESOLVED)), list[str]()
    while "goodbye" not in said:
        assert router.poll(PATIENCE_MS), "the worker says nothing"
        sender, frame = router.recv_multipart()
        message = worker_pb2.WorkerMessage.FromString(frame)
        kind = message.WhichOneof("kind")
        if kind == "hello":
            welcome = worker_pb2.Welcome(heartbeat_interval_s=0.1, grpc_port=1)
            assign = worker_pb2.Assign(task_id="t", attempt=1, experiment_id="e", spec=spec)
            assign.work.distill.SetInParent()
            for each in ({"welcome": welcome}, {"assign": assign}):
                answer = worker_pb2.ControlMessage(**each)
                router.send_multipart([sender, answer.SerializeToString()])
        elif kind == "report":
            report = message.report
            what = report.WhichOneof("kind")
            if what in ("progress", "failure"):
                worker.send_signal(signal.SIGTERM)
            if what in ("stopped", "failure", "result"):
                said.append(what)
            done = worker_pb2.Acknowledge(task_id="t", attempt=1, number=report.number)
            answer = worker_pb2.ControlMessage(acknowledge=done)
            router.send_multipart([sender, answer.SerializeToString()])
        elif kind == "goodbye":
            said.append(kind)
    return said
