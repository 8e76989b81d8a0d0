"""The worker's loop: ZeroMQ in the main thread, one task at a time in another."""

import os
import signal
import socket
import time
from collections import deque

import zmq

from .. import convert
from ..addresses import own_address
from ..context.reporting import environment
from ..convert.lease import NO_LEASE, Lease
from ..devices.ids import device_ids, machine_id
from ..devices.load import give_back_memory, load_meter
from ..errors import StillhouseError
from . import worker_log
from .attempt_folder import tidy
from .connection import Absence, Silence, Socket, connect
from .credentials import Credentials, fault_of_way
from .greeting import LONGEST_WAIT_S, Greeting, is_of_this_machine
from .journal import Leftover, leftovers
from .outbox import METRIC_INTERVAL_S, PROGRESS_INTERVAL_S
from .task_thread import TaskThread
from .work_place import WorkPlace

_POLL_MS = 50
_TAKE_INTERVAL_S = min(METRIC_INTERVAL_S, PROGRESS_INTERVAL_S)
# A process that ends waits this long for a task that is loading: that has nothing to save, and may
# be in an import or in a call of a library, where it does not hear of the stop.
_LOADING_GRACE_S = 2.0
# After a stop the last report may wait this long for its acknowledgement.
_FAREWELL_S = 5.0
# A control plane that is away hears it from the journal.
_LONELY_FAREWELL_S = 1.0


class Worker:
    """A worker process: says hello, takes tasks, reports, and ends when told to or with its parent.

    While the control plane is away, it continues to compute, and says hello until it is back.

    Attributes:
        has_abandoned: whether the thread of a task still runs, so that only the end of the process
            ends it.

    Args:
        connect: ZeroMQ address, tcp://HOST:PORT.
        grpc_address: HOST:PORT for artifacts; None for the one that the control plane sends.
        worker_id: name, different from those of all other workers.
        place: the device and folders of this machine.
        parent: process with which this one ends.
        credentials: keys and token, where the control plane requires them.
        leave_after_s: without a task and without a control plane for this long, it ends.
    """

    def __init__(
        self,
        connect: str,
        grpc_address: str | None,
        worker_id: str,
        place: WorkPlace,
        parent: int,
        credentials: Credentials,
        leave_after_s: float = float("inf"),
    ) -> None:
        self._connect, self._grpc_address = connect, grpc_address
        # None: it has not been tried.
        self._grpc_fault: str | None = None
        self._id, self._place = worker_id, place
        self._parent, self._credentials = parent, credentials
        self._silence = Silence(connect, has_keys=credentials.curve_secret is not None)
        self._absence = Absence(leave_after_s)
        self._greeting = Greeting(0.0 if is_of_this_machine(connect) else LONGEST_WAIT_S)
        self._load, self._device_ids = load_meter(place.device), device_ids()
        self._task: TaskThread | None = None
        self._leftovers: deque[Leftover] = deque()
        self._heartbeat_interval_s = 0.0
        self._joined = False
        self._ending = False
        self._must_end_by = float("inf")
        self.has_abandoned = False
        self._refusal = ""
        self._farewell_ends: float | None = None
        self._last_heartbeat = self._last_take = float("-inf")

    def run(self) -> None:
        """Serve until told to end, until SIGTERM, or until the parent process has ended.

        Raises:
            StillhouseError: ``invalid`` when the control plane does not let this worker in.
        """
        signal.signal(signal.SIGTERM, lambda *_: self._end())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the control plane's to handle
        worker_log.configure(self._id, lambda: None if self._task is None else self._task.outbox)
        context = zmq.Context()
        with connect(context, self._connect, self._credentials) as socket_:
            while not (self._ending and self._task is None):
                self._turn(socket_)
            self._send(socket_, convert.goodbye())
        context.term()
        if self._refusal:
            place = f"the control plane at {self._connect}"
            raise StillhouseError("invalid", f"{place} refused this worker: {self._refusal}")

    def _turn(self, socket_: Socket) -> None:
        if socket_.poll(_POLL_MS, zmq.POLLIN):
            self._handle(socket_.recv())
        if os.getppid() != self._parent:
            self._end()
        now = time.monotonic()
        self._silence.look(self._joined, now)
        if self._absence.is_over(self._joined or self._task is not None, now):
            self._end()
        self._send_signs_of_life(socket_, now)
        if self._leftovers and self._joined:
            self._serve_leftover(socket_, self._leftovers[0], now)
        if self._task is not None:
            self._serve_task(socket_, self._task, now)

    def _send(self, socket_: Socket, frame: bytes) -> bool:
        """Whether the frame was sent; if not, the connection is lost."""
        try:
            socket_.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            self._lose()
            return False
        return True

    def _lose(self) -> None:
        """The control plane is away, or does not know this worker: it says hello again."""
        if self._joined:
            self._joined = False
            self._greeting.lost()

    def _end(self) -> None:
        if not self._ending:
            self._ending = True
            self._must_end_by = time.monotonic() + _LOADING_GRACE_S
            if self._task is not None:
                self._task.outbox.stop.set()

    def _handle(self, frame: bytes) -> None:
        match convert.control_message(frame):
            case convert.Welcome() as welcome:
                self._join(welcome)
            case convert.Introduce():
                self._lose()
            case convert.Assign() as assign:
                self._assign(assign)
            case convert.CancelTask() as cancel:
                if self._task is not None and self._task.lease.is_of(cancel):
                    self._task.outbox.stop.set()
            case convert.Acknowledge() as acknowledge:
                self._acknowledge(acknowledge)
            case convert.Shutdown() as shutdown:
                self._refusal = shutdown.reason
                self._end()

    def _join(self, welcome: convert.Welcome) -> None:
        self._heartbeat_interval_s = welcome.heartbeat_interval_s
        if self._grpc_address is None:
            host = self._connect.removeprefix("tcp://").rpartition(":")[0]
            self._grpc_address = f"{host}:{welcome.grpc_port}"
        if not self._joined:
            worker_log.write("info", f"joined the control plane at {self._connect}")
            if self._task is not None:
                self._task.outbox.send_again()
        self._joined = True

    def _assign(self, assign: convert.Assign) -> None:
        # A repeat of an assignment that runs already changes nothing.
        if self._task is None and not self._ending:
            grpc_address = self._grpc_address or ""
            host = self._own_address()
            self._task = TaskThread(assign, self._place, grpc_address, self._credentials, host)
            ids = {"experiment": assign.experiment_id, "task": assign.task_id}
            worker_log.write("info", "a task begins", **ids, attempt=assign.attempt)
            self._leftovers.extend(leftovers(self._task.folder, assign.task_id, assign.attempt))

    def _acknowledge(self, acknowledge: convert.Acknowledge) -> None:
        if self._task is not None and self._task.lease.is_of(acknowledge):
            if acknowledge.fenced:
                self._task.fenced = True
                self._task.outbox.stop.set()
            self._task.outbox.acknowledge(acknowledge.number)
        for leftover in self._leftovers:
            if leftover.lease == (acknowledge.task_id, acknowledge.attempt):
                leftover.acknowledge(acknowledge.number)

    def _send_signs_of_life(self, socket_: Socket, now: float) -> None:
        task = self._task
        lease = NO_LEASE if task is None else task.lease
        if not self._joined:
            connected = bool(socket_.poll(0, zmq.POLLOUT))
            acknowledged = 0 if task is None else task.outbox.acknowledged
            if self._greeting.is_due(connected, now) and self._send(
                socket_, self._hello(lease, acknowledged)
            ):
                self._greeting.said(now)
        elif now - self._last_heartbeat > self._heartbeat_interval_s:
            self._last_heartbeat = now
            counter = 0 if task is None else task.outbox.progress_counter
            self._send(socket_, convert.heartbeat(lease, counter, self._load()))
            if task is not None:
                task.stopwatch.save()

    def _hello(self, lease: Lease, acknowledged: int) -> bytes:
        device, host = self._place.device, socket.gethostname()
        facts, load = environment(device), self._load()
        if self._grpc_fault != "" and self._grpc_address is not None:
            self._grpc_fault = fault_of_way(self._grpc_address, self._credentials)
        return convert.hello(
            self._id,
            device,
            os.getpid(),
            host,
            facts,
            lease=lease,
            acknowledged=acknowledged,
            load=load,
            token=self._credentials.token,
            machine_id=machine_id(),
            device_ids=self._device_ids,
            grpc_fault=self._grpc_fault or "",
            address=self._own_address(),
        )

    def _own_address(self) -> str:
        """Empty where nothing leads to the control plane at present."""
        try:
            return own_address(self._connect.removeprefix("tcp://"))
        except OSError:
            return ""

    def _serve_leftover(self, socket_: Socket, leftover: Leftover, now: float) -> None:
        if leftover.is_done():
            self._leftovers.popleft()
        elif frame := leftover.take(now):
            self._send(socket_, frame)

    def _serve_task(self, socket_: Socket, task: TaskThread, now: float) -> None:
        if now > self._must_end_by and task.is_running() and task.is_loading():
            task.abandon()
            self.has_abandoned = True
        ended = not task.is_running()
        if self._joined and (ended or task.fenced or now - self._last_take > _TAKE_INTERVAL_S):
            self._last_take = now
            take = task.outbox.take_oldest if task.fenced else task.outbox.take
            if not all(self._send(socket_, frame) for frame in take(now)):
                task.outbox.send_again()
        if ended and (task.outbox.is_empty() or self._waited_enough(now)):
            task.outbox.close()
            tidy(task.scratch)
            self._place.leave(task.folder, task.has_succeeded and task.outbox.is_empty())
            self._task = None
            give_back_memory(self._place.device)

    def _waited_enough(self, now: float) -> bool:
        """Whether an ending worker has given its last report its time."""
        if not self._ending:
            return False
        if self._farewell_ends is None:
            self._farewell_ends = now + (_FAREWELL_S if self._joined else _LONELY_FAREWELL_S)
        return now > self._farewell_ends
