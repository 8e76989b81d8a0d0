"""Calls of the artifact service that wait for a control plane that does not answer."""

import time
from collections.abc import Callable
from typing import Any

import grpc

from .. import convert
from ..context.reporting import Stopped
from ..errors import FailureKind, StillhouseError
from .credentials import Credentials, call_metadata, open_channel

_MAX_MESSAGE_BYTES = 64 << 20
_OPTIONS: list[tuple[str, Any]] = [
    (f"grpc.max_{way}_message_length", _MAX_MESSAGE_BYTES) for way in ("send", "receive")
]
_RETRY_INTERVAL_S = 1.0
# A restarted control plane may answer before this worker has said hello again.
_LONGEST_CONFLICT_S = 120.0


class PatientCalls:
    """Calls that are made again while the control plane is away.

    Args:
        address: HOST:PORT.
        credentials: for TLS, and the token of each call.
        stop: whether to give up waiting, since the task should stop.

    Attributes:
        metadata: of each call.
    """

    def __init__(self, address: str, credentials: Credentials, stop: Callable[[], bool]) -> None:
        self._address, self._credentials, self._stop = address, credentials, stop
        self.metadata = call_metadata(credentials)

    def open_channel(self) -> grpc.Channel:
        """A channel to the control plane, to be closed."""
        return open_channel(self._address, self._credentials, _OPTIONS)

    def make(self, call: Callable[[Any], Any]) -> Any:
        """What ``call`` returns for a stub of the service.

        Raises:
            Stopped: a stop was requested before the control plane came back.
            StillhouseError: what it refused, and why.
        """
        began = time.monotonic()
        with self.open_channel() as channel:
            while True:
                try:
                    return call(convert.ArtifactStub(channel))
                except grpc.RpcError as error:
                    if not self._may_pass(error, time.monotonic() - began):
                        raise failure_of_call(error, self._address) from error
                if self._stop():
                    raise Stopped
                time.sleep(_RETRY_INTERVAL_S)

    def refusal(self, error: Any) -> StillhouseError:
        """A failed call as a failure for a person."""
        return failure_of_call(error, self._address)

    def _may_pass(self, error: Any, waited_s: float) -> bool:
        """Whether the same call may succeed later."""
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
            return True
        if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
            return convert.is_retryable(error)  # its disk is full
        is_conflict = error.code() == grpc.StatusCode.FAILED_PRECONDITION
        return is_conflict and waited_s < _LONGEST_CONFLICT_S and not self._stop()


def failure_of_call(error: Any, address: str) -> StillhouseError:
    """A failed call as a failure for a person."""
    kinds: dict[grpc.StatusCode, FailureKind] = {
        grpc.StatusCode.FAILED_PRECONDITION: "conflict",
        grpc.StatusCode.NOT_FOUND: "not_found",
        grpc.StatusCode.RESOURCE_EXHAUSTED: "exhausted",
    }
    message = f"the control plane at {address} refused it: {error.details()}"
    return StillhouseError(kinds.get(error.code(), "environment"), message)
