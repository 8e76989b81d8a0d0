"""Data sets and models that clients have sent: fetched over a real gRPC server, kept for all."""

import hashlib
import os
from concurrent import futures

import grpc
import pytest

from stillhouse_proto.v1 import experiment_pb2, service_pb2, service_pb2_grpc
from stillhouse_worker.convert.lease import Lease
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.process.credentials import Credentials
from stillhouse_worker.process.folder_cache import FolderCache
from stillhouse_worker.process.folder_transfer import fetch_folder
from stillhouse_worker.process.patient_calls import PatientCalls
from stillhouse_worker.process.work_place import path_at_hand

LEASE = Lease("t", 1, b"secret")
CONTENT = {"set/empty.csv": b"", "set/train.csv": b"text,label\n" * 100}


def folder_id(files) -> str:
    lines = "".join(f"{file.sha256} {file.size} {file.name}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


class Store(service_pb2_grpc.ArtifactServiceServicer):
    def __init__(self, content=CONTENT) -> None:
        self.files = [
            experiment_pb2.ArtifactFile(
                name=name, size=len(raw), sha256=hashlib.sha256(raw).hexdigest()
            )
            for name, raw in content.items()
        ]
        self.sent = [raw for raw in content.values() if raw]

    def DownloadFolder(self, request, context):  # noqa: N802
        files = service_pb2.FolderFiles(files=self.files)
        yield service_pb2.DownloadFolderResponse(files=files)
        for raw in self.sent:
            yield service_pb2.DownloadFolderResponse(chunk=raw[:100])
            yield service_pb2.DownloadFolderResponse(chunk=raw[100:])


@pytest.fixture
def serve():
    servers = []

    def start(store: Store) -> PatientCalls:
        server = grpc.server(futures.ThreadPoolExecutor(2))
        service_pb2_grpc.add_ArtifactServiceServicer_to_server(store, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return PatientCalls(f"127.0.0.1:{port}", Credentials(), lambda: False)

    yield start
    for server in servers:
        server.stop(None)


def test_the_id_is_that_of_the_control_plane() -> None:
    file = experiment_pb2.ArtifactFile(name="set/träin.csv", size=3, sha256="a" * 64)
    assert folder_id([file]) == ("22311fda73e9f9409058274f4cbb53070e46080be1ea35748a58b44c5ec9503d")


def test_a_folder_is_fetched_whole_and_once(serve, tmp_path) -> None:
    store = Store()
    calls, cache = serve(store), FolderCache(tmp_path)
    id_ = folder_id(store.files)

    def fetch(draft, make_room):
        fetch_folder(calls, LEASE, id_, draft, make_room)

    with cache.held(id_, fetch) as folder:
        assert folder == tmp_path / id_
        assert {name: (folder / name).read_bytes() for name in CONTENT} == CONTENT
    store.files = []
    with FolderCache(tmp_path).held(id_, fetch) as folder:
        assert (folder / "set/train.csv").exists()


@pytest.mark.parametrize("sent", [[b"x" * 1100], [b"short"], [*Store().sent, b"more"]])
def test_a_damaged_folder_is_never_visible(serve, tmp_path, sent) -> None:
    store = Store()
    store.sent = sent
    calls, id_ = serve(store), folder_id(store.files)
    with (
        pytest.raises(StillhouseError, match="damaged in transit") as raised,
        FolderCache(tmp_path).held(
            id_, lambda draft, room: fetch_folder(calls, LEASE, id_, draft, room)
        ),
    ):
        pass
    assert raised.value.retryable
    assert [path.name for path in tmp_path.iterdir()] == [f"{id_}.lock"]


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_a_file_never_lies_outside(serve, tmp_path, name) -> None:
    store = Store({name: b"x"})
    calls, id_ = serve(store), folder_id(store.files)
    with pytest.raises(StillhouseError, match="would lie outside"):
        fetch_folder(calls, LEASE, id_, tmp_path / "draft", lambda _: None)


def test_other_files_than_those_of_the_id_are_refused(serve, tmp_path) -> None:
    calls = serve(Store())
    with pytest.raises(StillhouseError, match="not bbbb"):
        fetch_folder(calls, LEASE, "b" * 64, tmp_path / "draft", lambda _: None)


def filled(num_bytes: int):
    def fetch(draft, make_room) -> None:
        make_room(num_bytes)
        draft.mkdir()
        (draft / "file").write_bytes(b"x" * num_bytes)

    return fetch


def test_the_oldest_that_no_task_uses_makes_room(tmp_path) -> None:
    cache = FolderCache(tmp_path, most_bytes=100)
    old, used, new = "a" * 64, "b" * 64, "c" * 64
    for at, name in enumerate((used, old)):
        with cache.held(name, filled(40)) as folder:
            pass
        os.utime(folder, (at, at))
    with cache.held(used, filled(40)):
        os.utime(tmp_path / used, (0, 0))
        with cache.held(new, filled(40)):
            assert (tmp_path / used / "file").exists(), "a task has it, though it is the oldest"
            assert not (tmp_path / old).exists()
    with (
        pytest.raises(StillhouseError, match="larger than the cache"),
        cache.held("d" * 64, filled(101)),
    ):
        pass


def test_paths_of_the_control_plane_lead_into_the_cache(tmp_path) -> None:
    id_ = "a" * 64
    folders = {id_: tmp_path}
    inside = f"/home/x/folders/{id_}/content"
    assert path_at_hand(inside, folders) == str(tmp_path)
    assert path_at_hand(f"{inside}/model", folders) == str(tmp_path / "model")
    for other in ("minilm", "/data/set", f"/x/folders/{'b' * 64}/content/set", f"{inside}s/set"):
        assert path_at_hand(other, folders) == other
