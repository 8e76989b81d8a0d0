"""A worker's lease of an attempt at a task."""

from typing import NamedTuple

from stillhouse_proto.v1 import worker_pb2


class Lease(NamedTuple):
    """An attempt at a task, and the secret that proves that it is this worker's."""

    task_id: str = ""
    attempt: int = 0
    secret: bytes = b""

    def is_of(self, message: worker_pb2.CancelTask | worker_pb2.Acknowledge) -> bool:
        """Whether a message of the control plane is about this attempt."""
        return (self.task_id, self.attempt) == (message.task_id, message.attempt)

    def __repr__(self) -> str:
        """The secret is never printed."""
        return f"Lease({self.task_id!r}, {self.attempt})"


NO_LEASE = Lease()
