"""Checkpoints that go from one machine to another over a real gRPC server."""

import hashlib
import time
from concurrent import futures

import grpc
import pytest

from stillhouse_proto.v1 import service_pb2, service_pb2_grpc
from stillhouse_worker.context.checkpoint_store import (
    CheckpointFile,
    CheckpointStore,
    checkpoint_path,
    newest_files,
)
from stillhouse_worker.convert.artifacts import checkpoint_files
from stillhouse_worker.convert.lease import Lease
from stillhouse_worker.process import checkpoint_courier
from stillhouse_worker.process.checkpoint_courier import CheckpointCourier
from stillhouse_worker.process.checkpoint_transfer import CheckpointTransfer
from stillhouse_worker.process.credentials import Credentials
from stillhouse_worker.process.outbox import Outbox
from stillhouse_worker.process.patient_calls import PatientCalls

LEASE = Lease("t", 1, b"secret")


class Plane(service_pb2_grpc.ArtifactServiceServicer):
    """Keeps the newest checkpoint that is handed in, and gives it away."""

    def __init__(self) -> None:
        self.files: list[CheckpointFile] = []
        self.content = b""

    def UploadCheckpoint(self, requests, context):  # noqa: N802
        parts = list(requests)
        self.content = b"".join(part.chunk for part in parts[1:])
        self.files += checkpoint_files([parts[0].header.checkpoint])
        return service_pb2.UploadCheckpointResponse()

    def DownloadCheckpoint(self, request, context):  # noqa: N802
        yield service_pb2.DownloadCheckpointResponse(chunk=self.content)


@pytest.fixture
def plane():
    return Plane()


@pytest.fixture
def port(plane):
    server = grpc.server(futures.ThreadPoolExecutor(2))
    service_pb2_grpc.add_ArtifactServiceServicer_to_server(plane, server)
    bound = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield bound
    server.stop(None)


@pytest.fixture
def courier(port, tmp_path, monkeypatch):
    """Makes the courier of a machine, with its outbox and its folder."""
    monkeypatch.setattr(checkpoint_courier, "SHORTEST_INTERVAL_S", 0.0)
    made = []

    def make(machine: str, known=()):
        calls = PatientCalls(f"127.0.0.1:{port}", Credentials(), lambda: False)
        outbox, folder = Outbox(LEASE), tmp_path / machine
        transfer = CheckpointTransfer(calls, LEASE)
        made.append(CheckpointCourier(folder, outbox, transfer, list(known)))
        return made[-1], outbox, folder

    yield make
    for each in made:
        each.end()


def put(folder, step: int, content: bytes, kind: str = "training") -> CheckpointFile:
    CheckpointStore(folder, kind, "former").put(step, content)
    return CheckpointFile(kind, step, len(content), hashlib.sha256(content).hexdigest())


def wait_for(condition) -> None:
    while not condition():
        time.sleep(0.01)


def test_a_checkpoint_goes_once_all_reports_before_it_are_acknowledged(courier, plane) -> None:
    carrier, outbox, folder = courier("one")
    outbox.metric("loss", 1, 0.5)
    carrier.start()
    newest = put(folder, 7, b"seven")
    # Seen, and held back: no report of the task has arrived.
    wait_for(lambda: carrier._last_report)
    assert plane.files == []
    outbox.acknowledge(1)
    wait_for(lambda: plane.files)
    assert plane.files == [newest]
    assert plane.content == b"seven"


def test_another_machine_continues_from_what_was_handed_in(courier, plane) -> None:
    carrier, _, folder = courier("one")
    carrier.start()
    newest = put(folder, 7, b"seven")
    wait_for(lambda: plane.files)
    other, _, elsewhere = courier("two", plane.files)
    other.start()
    assert newest_files(elsewhere) == {"training": newest}
    assert checkpoint_path(elsewhere, newest).read_bytes() == b"seven"
    # It is not handed in once more.
    other.hand_in_last()
    assert plane.files == [newest]


def test_the_same_machine_uses_its_own_checkpoint_if_that_is_newer(courier, plane) -> None:
    carrier, _, folder = courier("one", [CheckpointFile("training", 5, 4, "0" * 64)])
    own = put(folder, 7, b"seven")
    plane.content = b"five"
    carrier.start()
    assert newest_files(folder) == {"training": own}


def test_a_damaged_checkpoint_is_refused_and_nothing_of_it_stays(courier, plane) -> None:
    named = CheckpointFile("training", 5, 4, hashlib.sha256(b"five").hexdigest())
    plane.content = b"six!"
    carrier, outbox, folder = courier("one", [named])
    carrier.start()
    (frame,) = outbox.take(time.monotonic())
    assert b"of step 5 (training) of the control plane is refused" in frame
    assert b"announced were 4 and" in frame
    assert list((folder / "checkpoints").iterdir()) == []


def test_what_is_new_at_a_stop_is_handed_in_before_it_ends(courier, plane, monkeypatch) -> None:
    monkeypatch.setattr(checkpoint_courier, "SHORTEST_INTERVAL_S", 3600.0)
    carrier, _, folder = courier("one")
    carrier.start()
    put(folder, 1, b"one")
    wait_for(lambda: plane.files)
    last = [put(folder, 2, b"two"), put(folder, 1, b"[]", "learners")]
    carrier.hand_in_last()
    assert set(plane.files[1:]) == set(last)


def test_a_control_plane_that_is_away_delays_a_stop_by_seconds_at_most(
    courier, plane, monkeypatch
) -> None:
    monkeypatch.setattr(checkpoint_courier, "_LONGEST_SILENCE_S", 0.1)
    carrier, outbox, folder = courier("one")
    outbox.metric("loss", 1, 0.5)
    carrier.start()
    put(folder, 1, b"one")
    carrier.hand_in_last()  # it returns, although nobody acknowledges the report
    assert plane.files == []
