"""Workers that share the outer steps of a distillation, each in a process of its own."""

import multiprocessing
import queue
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from tasks_of import task_of

from stillhouse_worker.addresses import own_address
from stillhouse_worker.artifacts import TENSORS_NAME
from stillhouse_worker.context.reporting import Silent, Stopped, TeamOutcome
from stillhouse_worker.distillation.meeting import Meeting, missing, open_meeting
from stillhouse_worker.distillation.process_group import has_unfinished, of_generation
from stillhouse_worker.distillation.team_seats import Seat, seated
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.stopping import stoppable
from stillhouse_worker.tasks.distill import distill
from stillhouse_worker.tasks.execute import execute

HOST = "127.0.0.1"
SPAWN = multiprocessing.get_context("spawn")


@contextmanager
def own_threads(number: int):
    """One process computes with this many."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def member(settings, folder: Path, seat: Seat) -> None:
    """What the process of another worker does."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True)
    task = task_of(settings, Silent(), folder, seat=seat)
    assert execute("distill", task) == TeamOutcome(seat.rank)


def one_sum(seat: Seat, may_go) -> None:
    """A member that adds up once, and then waits for its end."""
    with seated(seat, "cpu") as team:
        team.total([torch.ones(3)])
        may_go.wait()


class Members:
    """Starts the other workers as soon as the leader says where they are to come."""

    def __init__(self, size: int, start) -> None:
        self.size, self._start = size, start
        self.processes: list = []

    def seat(self, generation: int) -> Seat:
        """Of the leader."""

        def announce(meeting: Meeting) -> None:
            self.processes = [
                self._start(Seat(rank, self.size, generation, meeting=meeting))
                for rank in range(1, self.size)
            ]
            for process in self.processes:
                process.start()

        return Seat(0, self.size, generation, HOST, announce)

    def end(self) -> list[int | None]:
        """Their exit codes."""
        for process in self.processes:
            process.join(60)
            process.kill()
            process.join()
        return [process.exitcode for process in self.processes]


def distilling_members(settings, folder: Path, size: int = 2) -> Members:
    def start(seat: Seat):
        own = folder / f"member-{seat.generation}-{seat.rank}"
        return SPAWN.Process(target=member, args=(settings, own, seat), daemon=True)

    return Members(size, start)


def short(settings, size: int = 2):
    return settings._replace(
        outer=settings.outer._replace(num_steps=5, inits_per_step=2), num_devices=size
    )


def new(path: Path) -> Path:
    path.mkdir()
    return path


def content(folder: Path) -> bytes:
    return (folder / TENSORS_NAME).read_bytes()


@pytest.fixture(scope="module")
def of_one_host(settings, tmp_path_factory) -> bytes:
    """What two processes of one host distil, each with one thread."""
    with own_threads(2):  # of which each process has a half
        task = task_of(short(settings), Silent(), tmp_path_factory.mktemp("host"))
        return content(distill(task).folder)


def test_workers_distil_the_bytes_of_as_many_processes_of_one_host(
    settings, tmp_path, reporter, of_one_host
) -> None:
    chosen = short(settings)
    members = distilling_members(chosen, tmp_path)
    with own_threads(1):
        task = task_of(chosen, reporter, new(tmp_path / "lead"), seat=members.seat(1))
        outcome = distill(task)
    assert members.end() == [0]
    assert content(outcome.folder) == of_one_host


class LosesAMember:
    """A reporter that ends the other workers within a step."""

    def __init__(self, reporter, after: int) -> None:
        self._reporter, self._after = reporter, after
        self.members: Members | None = None

    def __getattr__(self, name: str):
        return getattr(self._reporter, name)

    def progress(self, stage: str, done: int, total: int, values) -> None:
        self._reporter.progress(stage, done, total, values)
        if stage == "distilling" and done == self._after and self.members is not None:
            for process in self.members.processes:
                process.kill()


def test_a_lost_worker_costs_no_finished_step_and_the_next_generation_ends_in_the_same_bytes(
    settings, tmp_path, reporter, of_one_host
) -> None:
    chosen, folder, losing = short(settings), new(tmp_path / "lead"), LosesAMember(reporter, 3)
    losing.members = distilling_members(chosen, tmp_path)
    with own_threads(1):
        with pytest.raises(StillhouseError, match="shares the outer steps was lost") as caught:
            distill(task_of(chosen, losing, folder, seat=losing.members.seat(1)))
        assert caught.value.retryable
        losing.members.end()
        members = distilling_members(chosen, tmp_path)
        resumed = distill(task_of(chosen, reporter, folder, seat=members.seat(2)))
    assert members.end() == [0]
    assert ("info", "resumed at outer step 3") in reporter.lines
    assert content(resumed.folder) == of_one_host


def test_a_stop_is_heard_while_the_others_are_waited_for() -> None:
    may_go, stop = SPAWN.Event(), threading.Event()

    def check() -> None:
        if stop.is_set():
            raise Stopped

    members = Members(2, lambda seat: SPAWN.Process(target=one_sum, args=(seat, may_go)))
    tensor = torch.ones(3)
    with stoppable(check), seated(members.seat(1), "cpu") as team:
        team.total([tensor])
        assert tensor.tolist() == [2, 2, 2]
        threading.Timer(0.3, stop.set).start()
        with pytest.raises(Stopped):
            team.total([tensor])  # the other never adds anything to this
    assert has_unfinished()
    may_go.set()
    members.end()
    deadline = time.monotonic() + 60
    while has_unfinished():
        assert time.monotonic() < deadline, "the end of the other does not end the message"
        time.sleep(0.01)


def test_a_stop_is_heard_while_the_others_have_not_come() -> None:
    announced: queue.SimpleQueue = queue.SimpleQueue()

    def check() -> None:
        if not announced.empty():
            raise Stopped

    seat = Seat(0, 3, 1, HOST, announced.put)
    with stoppable(check), pytest.raises(Stopped), seated(seat, "cpu"):
        pass


def test_a_member_of_an_earlier_generation_is_not_seen() -> None:
    store, meeting = open_meeting(HOST, 1)
    store.set("process 1 is about to join", "")
    assert missing(store, [1, 2]) == [2]
    later = of_generation(store, 2, meeting.token)
    assert missing(later, [1, 2]) == [1, 2]


def test_a_meeting_that_is_gone_fails_with_a_retryable_error(monkeypatch) -> None:
    short_time = timedelta(seconds=1)
    monkeypatch.setattr("stillhouse_worker.distillation.meeting._REACH_TIMEOUT", short_time)
    seat = Seat(1, 2, 1, meeting=Meeting("127.0.0.1:9", "token"))
    with (
        pytest.raises(StillhouseError, match="was lost") as caught,
        seated(seat, "cpu"),
    ):
        pass
    assert caught.value.retryable


def test_the_own_address_is_the_one_of_the_interface_that_leads_there() -> None:
    assert own_address("127.0.0.1:9") == "127.0.0.1"
