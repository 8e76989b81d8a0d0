"""Frames between a worker and its control plane, and their content."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from stillhouse_proto.v1 import experiment_pb2, worker_pb2

from ..devices.load import UNKNOWN, DeviceLoad
from ..distillation.meeting import Meeting
from ..distillation.team_seats import Seat
from .lease import NO_LEASE, Lease

# Version of worker.proto; a control plane refuses workers with an earlier one.
PROTOCOL = 2

Welcome = worker_pb2.Welcome
Assign = worker_pb2.Assign
CancelTask = worker_pb2.CancelTask
Acknowledge = worker_pb2.Acknowledge
Shutdown = worker_pb2.Shutdown
Introduce = worker_pb2.Introduce
ControlMessage = Welcome | Assign | CancelTask | Acknowledge | Shutdown | Introduce


def hello(
    worker_id: str,
    device: str,
    pid: int,
    host: str,
    environment: Mapping[str, str],
    *,
    lease: Lease = NO_LEASE,
    acknowledged: int = 0,
    load: DeviceLoad = UNKNOWN,
    token: str | None = None,
    machine_id: str = "",
    device_ids: Mapping[str, str] | None = None,
    grpc_fault: str = "",
    address: str = "",
) -> bytes:
    """The first frame of a worker, and of each of its returns.

    Args:
        lease: of the task that it has in hand.
        acknowledged: number of the last report of it that was acknowledged.
        load: of the device, for the memory that tasks find there.
        token: bearer token that says whose worker it is, where one is required.
        machine_id, device_ids: see `devices.ids`.
        grpc_fault: why it does not reach gRPC.
        address: of this machine, for other workers.
    """
    return worker_pb2.WorkerMessage(
        hello=worker_pb2.Hello(
            worker_id=worker_id,
            device=device,
            device_name=environment["device_name"],
            pid=pid,
            host=host,
            versions=environment,
            **lease._asdict(),
            acknowledged=acknowledged,
            memory_total_bytes=load.memory_total_bytes,
            memory_used_bytes=load.memory_used_bytes,
            protocol=PROTOCOL,
            token=token or "",
            machine_id=machine_id,
            device_ids=device_ids or {},
            grpc_fault=grpc_fault,
            address=address,
        )
    ).SerializeToString()


def goodbye() -> bytes:
    """The last frame of a worker."""
    return worker_pb2.WorkerMessage(goodbye=worker_pb2.Goodbye()).SerializeToString()


def heartbeat(lease: Lease, progress_counter: int, load: DeviceLoad) -> bytes:
    """A sign of life, with the load of the device."""
    return worker_pb2.WorkerMessage(
        heartbeat=worker_pb2.Heartbeat(
            **lease._asdict(),
            progress_counter=progress_counter,
            **load._asdict(),
        )
    ).SerializeToString()


def report(lease: Lease, number: int, **kind: Any) -> bytes:
    """A frame about a task; ``kind`` is one of TaskReport's."""
    return worker_pb2.WorkerMessage(
        report=worker_pb2.TaskReport(**lease._asdict(), number=number, **kind)
    ).SerializeToString()


def team_store(meeting: Meeting) -> worker_pb2.TeamStore:
    """Where the others of a team are to come."""
    return worker_pb2.TeamStore(**meeting._asdict())


def seat_of(assign: Assign, host: str, announce: Callable[[Meeting], None]) -> Seat | None:
    """The place of this worker in a team; None where it has the task alone.

    Args:
        assign: the assignment.
        host, announce: for the leader; see `Seat`.
    """
    if not assign.HasField("team"):
        return None
    team, generation = assign.team, assign.attempt
    if team.rank == 0:
        return Seat(0, team.size, generation, host, announce)
    meeting = Meeting(team.store.address, team.store.token)
    return Seat(team.rank, team.size, generation, meeting=meeting)


def stopped() -> worker_pb2.Stopped:
    """It stopped after a checkpoint."""
    return worker_pb2.Stopped(time=now())


def progress(
    stage: str, done: int, total: int, per_second: float, values: Mapping[str, float]
) -> experiment_pb2.Progress:
    """The progress of a task; the time left follows from the rate."""
    return experiment_pb2.Progress(
        stage=stage,
        done=done,
        total=total,
        per_second=per_second,
        seconds_left=(total - done) / per_second if per_second else 0.0,
        values=values,
    )


def metrics(points: Sequence[tuple[str, int, float]], first_sequence: int) -> Any:
    """Metric points, numbered from ``first_sequence``."""
    stamp = now()
    return experiment_pb2.MetricPoints(
        points=[
            experiment_pb2.MetricPoint(
                sequence=number, name=name, step=step, value=value, time=stamp
            )
            for number, (name, step, value) in enumerate(points, first_sequence)
        ]
    )


def log_line(level: str, message: str) -> experiment_pb2.LogLine:
    """A log line; ``level`` is debug, info, warning or error."""
    value = experiment_pb2.LogLevel.Value(f"LOG_LEVEL_{level.upper()}")
    return experiment_pb2.LogLine(level=value, message=message, time=now())


def control_message(frame: bytes) -> ControlMessage | None:
    """A message of the control plane; None for a kind that this version does not know."""
    message = worker_pb2.ControlMessage.FromString(frame)
    kind = message.WhichOneof("kind")
    return None if kind is None else getattr(message, kind)


def now() -> Timestamp:
    """The present time."""
    stamp = Timestamp()
    stamp.FromNanoseconds(time.time_ns())
    return stamp
