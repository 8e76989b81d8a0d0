"""The one exception that a user of Stillhouse is meant to read, raised by worker and client."""

from typing import Literal

# The names of FailureKind in failure.proto.
FailureKind = Literal[
    "invalid",
    "not_found",
    "conflict",
    "diverged",
    "exhausted",
    "environment",
    "cancelled",
    "internal",
    "worker_lost",
    "unavailable",
    "unauthenticated",
    "permission_denied",
    "rate_limited",
]


class StillhouseError(Exception):
    """A failure with a kind, one sentence for a person, and the field of the spec at fault.

    Args:
        kind: what sort of failure it is; "unavailable" when no control plane answers.
        message: one sentence that names the value and what is allowed or what fixes it.
        field: path in the spec, such as ``inner.lr``; empty when no field is at fault.
        retryable: whether the same task or call may succeed when it is tried again.
    """

    def __init__(
        self, kind: FailureKind, message: str, *, field: str = "", retryable: bool = False
    ) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.message = message
        self.field = field
        self.retryable = retryable
