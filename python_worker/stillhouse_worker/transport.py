"""The worker's loop: ZeroMQ in the main thread, one task at a time in another."""

import hashlib
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import grpc
import zmq

from . import convert
from .device_load import load_meter
from .outbox import METRIC_INTERVAL_S, PROGRESS_INTERVAL_S, Outbox
from .tasks.execute import execute
from .tasks.reporting import DistillOutcome, LearnerOutcome, Stopped, environment

_POLL_MS = 50
_TAKE_INTERVAL_S = min(METRIC_INTERVAL_S, PROGRESS_INTERVAL_S)
# A control plane that does not answer the first hello is asked again.
_HELLO_INTERVAL_S = 2.0
# After a stop the last report may wait this long for its acknowledgement.
_FAREWELL_S = 5.0
# Frames that wait in ZeroMQ itself; beyond that the outbox holds them.
_HIGH_WATER_MARK = 1000
_MAX_MESSAGE_BYTES = 64 << 20


class TaskThread:
    """One attempt at a task, computing in a thread of its own."""

    def __init__(self, assign: Any, grpc_address: str) -> None:
        self._assign, self._grpc_address = assign, grpc_address
        self.lease = (assign.task_id, assign.attempt)
        self.outbox = Outbox(*self.lease)
        self.fenced = False
        self._thread = threading.Thread(target=self._run, name="task", daemon=True)
        self._thread.start()

    def is_running(self) -> bool:
        """Whether it still computes."""
        return self._thread.is_alive()

    def _run(self) -> None:
        started = time.monotonic()
        try:
            result = self._execute(started)
        except Stopped:
            self.outbox.add(stopped=convert.stopped())
        except BaseException as error:  # whatever it is, it becomes a report
            self.outbox.add(failure=convert.failure_of(error))
        else:
            self.outbox.add(result=result)

    def _execute(self, started: float) -> Any:
        request = convert.task_request(self._assign)
        outcome = execute(
            request.work,
            request.settings,
            request.init_seeds,
            request.artifact_path,
            Path(request.work_dir),
            self.outbox,
        )
        facts = environment(request.settings.device)
        if isinstance(outcome, LearnerOutcome):
            return convert.learner_result(outcome, time.monotonic() - started, facts)
        artifact = self._upload(outcome)
        return convert.distill_result(outcome, artifact, time.monotonic() - started, facts)

    def _upload(self, outcome: DistillOutcome) -> Any:
        files = []
        for path in sorted(outcome.folder.iterdir()):
            content = path.read_bytes()
            files.append((path.name, hashlib.sha256(content).hexdigest(), content))
        requests = convert.upload_requests(*self.lease, files)
        options = [("grpc.max_send_message_length", _MAX_MESSAGE_BYTES)]
        with grpc.insecure_channel(self._grpc_address, options=options) as channel:
            return convert.ArtifactStub(channel).UploadArtifact(requests).artifact


class Worker:
    """A worker process: says hello, takes tasks, reports, ends when told or left alone."""

    def __init__(
        self, connect: str, grpc_address: str, worker_id: str, device: str, parent: int
    ) -> None:
        self._connect, self._grpc_address = connect, grpc_address
        self._id, self._device = worker_id, device
        self._parent = parent
        self._load = load_meter(device)
        self._task: TaskThread | None = None
        self._heartbeat_interval_s = 0.0  # 0: not welcomed yet
        self._ending = False
        self._farewell_ends: float | None = None
        self._last_heartbeat = self._last_take = self._last_hello = 0.0

    def run(self) -> None:
        """Serve until told to end, until SIGTERM, or until the parent process is gone."""
        signal.signal(signal.SIGTERM, lambda *_: self._end())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the control plane's to handle
        context = zmq.Context()
        with context.socket(zmq.DEALER) as socket_:
            socket_.setsockopt(zmq.IDENTITY, self._id.encode())
            socket_.setsockopt(zmq.LINGER, 1000)
            socket_.setsockopt(zmq.SNDHWM, _HIGH_WATER_MARK)
            socket_.connect(self._connect)
            while not (self._ending and self._task is None):
                self._turn(socket_)
            socket_.send(convert.goodbye())
        context.term()

    def _turn(self, socket_: Any) -> None:
        if socket_.poll(_POLL_MS, zmq.POLLIN):
            self._handle(socket_.recv())
        if os.getppid() != self._parent:
            self._end()
        now = time.monotonic()
        self._send_signs_of_life(socket_, now)
        if self._task is not None:
            self._serve_task(socket_, self._task, now)

    def _end(self) -> None:
        if not self._ending:
            self._ending = True
            if self._task is not None:
                self._task.outbox.stop.set()

    def _handle(self, frame: bytes) -> None:
        message = convert.control_message(frame)
        kind = message.WhichOneof("kind")
        if kind == "welcome":
            self._heartbeat_interval_s = message.welcome.heartbeat_interval_s
        elif kind == "assign" and not self._ending:
            self._assign(message.assign)
        elif kind == "cancel":
            if self._is_current(message.cancel) and self._task is not None:
                self._task.outbox.stop.set()
        elif kind == "acknowledge":
            self._acknowledge(message.acknowledge)
        elif kind == "shutdown":
            self._end()

    def _assign(self, assign: Any) -> None:
        if self._task is None:  # a repeat of an assignment that runs already changes nothing
            self._task = TaskThread(assign, self._grpc_address)

    def _is_current(self, lease: Any) -> bool:
        return self._task is not None and self._task.lease == (lease.task_id, lease.attempt)

    def _acknowledge(self, acknowledge: Any) -> None:
        if self._task is None or not self._is_current(acknowledge):
            return
        if acknowledge.fenced:
            self._task.fenced = True
            self._task.outbox.stop.set()
        self._task.outbox.acknowledge(acknowledge.number)

    def _send_signs_of_life(self, socket_: Any, now: float) -> None:
        if self._heartbeat_interval_s == 0:
            if now - self._last_hello > _HELLO_INTERVAL_S:
                self._last_hello = now
                facts = environment(self._device)
                host = socket.gethostname()
                socket_.send(convert.hello(self._id, self._device, os.getpid(), host, facts))
        elif now - self._last_heartbeat > self._heartbeat_interval_s:
            self._last_heartbeat = now
            task = self._task
            lease, counter = ("", 0), 0
            if task is not None:
                lease, counter = task.lease, task.outbox.progress_counter
            socket_.send(convert.heartbeat(*lease, counter, self._load()))

    def _serve_task(self, socket_: Any, task: TaskThread, now: float) -> None:
        ended = not task.is_running()
        if not task.fenced and (ended or now - self._last_take > _TAKE_INTERVAL_S):
            self._last_take = now
            for frame in task.outbox.take(now):
                socket_.send(frame)
        if ended and (task.fenced or task.outbox.is_empty() or self._waited_enough(now)):
            self._task = None

    def _waited_enough(self, now: float) -> bool:
        """Whether an ending worker has given its last report its time."""
        if not self._ending:
            return False
        if self._farewell_ends is None:
            self._farewell_ends = now + _FAREWELL_S
        return now > self._farewell_ends
