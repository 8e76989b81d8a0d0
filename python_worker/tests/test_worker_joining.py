"""What a worker process sends when it joins, against a ROUTER socket that a test controls."""

import subprocess
import sys

import pytest
import zmq

from stillhouse_proto.v1 import worker_pb2
from stillhouse_worker.process import worker_log
from stillhouse_worker.process.connection import Absence, Silence
from stillhouse_worker.process.greeting import Greeting, is_of_this_machine

TOKEN = "sth_" + "x" * 43
# Wide, since the machine may be busy, and importing PyTorch alone takes seconds.
NET_S = 240


@pytest.fixture
def router():
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.linger = 0
        socket.rcvtimeo = NET_S * 1000
        socket.bind("tcp://127.0.0.1:*")
        yield socket


@pytest.fixture
def worker(router, tmp_path):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "token").write_text(f"{TOKEN}\n")
    flags = ["--connect", router.last_endpoint.decode(), "--id", "known-name"]
    command = [sys.executable, "-m", "stillhouse_worker", "worker", *flags]
    process = subprocess.Popen(
        [*command, "--keys", str(tmp_path / "keys")], stderr=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.wait()


def test_a_worker_that_is_refused_ends_with_the_reason(router, worker) -> None:
    routing_id, frame = router.recv_multipart()
    hello = worker_pb2.WorkerMessage.FromString(frame).hello
    assert hello.worker_id == "known-name"
    assert len(routing_id) >= 16
    assert b"known-name" not in routing_id, "the name is not enough to take over the connection"
    assert (hello.protocol, hello.token) == (2, TOKEN)
    reason = "the worker id belongs to another key; start it with --id"
    refusal = worker_pb2.ControlMessage(shutdown=worker_pb2.Shutdown(reason=reason))
    router.send_multipart([routing_id, refusal.SerializeToString()])
    _, errors = worker.communicate(timeout=NET_S)
    assert worker.returncode == 2, "a restart cannot help"
    assert f"refused this worker: {reason}" in errors


def test_a_worker_that_is_not_known_any_more_says_hello_again(router, worker) -> None:
    routing_id, _ = router.recv_multipart()
    welcome = worker_pb2.ControlMessage(welcome=worker_pb2.Welcome(heartbeat_interval_s=0.05))
    router.send_multipart([routing_id, welcome.SerializeToString()])
    while worker_pb2.WorkerMessage.FromString(router.recv_multipart()[1]).HasField("hello"):
        pass
    introduce = worker_pb2.ControlMessage(introduce=worker_pb2.Introduce())
    router.send_multipart([routing_id, introduce.SerializeToString()])
    # The fixture's patience ends a wait for a hello that never comes.
    while not worker_pb2.WorkerMessage.FromString(router.recv_multipart()[1]).HasField("hello"):
        pass
    assert worker.poll() is None


def test_the_first_hello_is_due_with_the_connection_and_repeated_less_and_less_often() -> None:
    greeting = Greeting(5.0, lambda: 0.5)
    assert not greeting.is_due(connected=False, now=0.0)
    assert greeting.is_due(connected=True, now=1.0)
    now = 1.0
    for interval in [2.0, 4.0, 8.0, 8.0]:
        greeting.said(now)
        assert not greeting.is_due(connected=True, now=now + interval - 0.1)
        now += interval
        assert greeting.is_due(connected=True, now=now)


def test_a_worker_that_comes_back_waits_at_random_from_its_connection_on() -> None:
    draws = iter([0.5, 0.9])
    greeting = Greeting(5.0, lambda: next(draws))
    greeting.lost()
    assert not greeting.is_due(connected=False, now=0.0)
    assert not greeting.is_due(connected=True, now=100.0)
    assert not greeting.is_due(connected=True, now=102.4)
    assert greeting.is_due(connected=True, now=102.5)
    assert not greeting.is_due(connected=False, now=102.6), "the control plane is gone once more"
    assert not greeting.is_due(connected=True, now=110.0)
    assert greeting.is_due(connected=True, now=114.5)


def test_a_worker_of_the_same_machine_waits_for_nothing() -> None:
    greeting = Greeting(0.0)
    greeting.lost()
    assert greeting.is_due(connected=True, now=7.0)
    for now in [7.0, 9.0, 11.0]:
        greeting.said(now)
        assert greeting.is_due(connected=True, now=now + 2.0)


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("tcp://127.0.0.1:8422", True),
        ("tcp://localhost:8422", True),
        # Of RFC 5737: no machine has it.
        ("tcp://192.0.2.1:8422", False),
        ("tcp://no-such-host.invalid:8422", False),
    ],
)
def test_an_address_is_known_as_this_machines_own(address: str, is_here: bool) -> None:
    assert is_of_this_machine(address) == is_here


def test_a_worker_that_nobody_answers_says_so_now_and_then(monkeypatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(worker_log, "write", lambda level, message: said.append(message))
    silence = Silence("tcp://there:1", has_keys=False)
    for now in range(14):
        silence.look(joined=False, now=float(now))
    silence.look(joined=True, now=14.0)
    assert said == [], "it joined soon"
    for now in range(20, 20 + 60):
        silence.look(joined=False, now=float(now))
    (sentence,) = said
    assert "tcp://there:1" in sentence
    assert "--keys" in sentence


def test_a_worker_ends_when_it_had_no_task_and_no_control_plane_for_its_time() -> None:
    absence = Absence(600.0)
    assert not absence.is_over(needed=False, now=1000.0)
    assert not absence.is_over(needed=False, now=1599.0)
    assert not absence.is_over(needed=True, now=1600.0), "it is back in time, or has a task"
    assert not absence.is_over(needed=False, now=1601.0)
    assert not absence.is_over(needed=False, now=2200.0)
    assert absence.is_over(needed=False, now=2201.0)
    assert not Absence(float("inf")).is_over(needed=False, now=1e9)
