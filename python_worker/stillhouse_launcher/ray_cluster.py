"""A cluster of Ray as far as a launcher needs it, through Ray Client."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import ray
from ray import cloudpickle
from ray.exceptions import RayError
from ray.util import list_named_actors

from . import ray_seat
from .engine import Unknown
from .ray_seat import Seat, SeatPlan

Node = Mapping[str, Any]
_T = TypeVar("_T")

# The nodes have Ray, and not this package.
cloudpickle.register_pickle_by_value(ray_seat)

# Ray Client waits half a minute for a lost connection, and longer for one that says nothing.
_TIMEOUT_S = 20.0


class Cluster:
    """The named actors of a namespace.

    Every call raises Unknown where the cluster gives no answer; the next one connects again.

    Args:
        address: ``ray://HOST:PORT``.
    """

    def __init__(self, address: str, namespace: str) -> None:
        self._address, self._namespace = address, namespace
        self._is_connected = False
        self._late: Future[Any] | None = None

    def connect(self) -> bool:
        """True where the connection is a new one: handles of an earlier one are of no use."""
        return self._within(self._connect)

    def disconnect(self) -> None:
        """The next call connects again."""
        self._is_connected = False

    def create(self, name: str, plan: SeatPlan, resources: Mapping[str, Any]) -> Any:
        """The actor of that name, which may have to wait for a node."""

        def ask() -> Any:
            seat = ray.remote(Seat).options(
                name=name,
                lifetime="detached",
                get_if_exists=True,
                max_restarts=0,
                max_task_retries=0,
                **resources,
            )
            return seat.remote(plan)

        return self._within(ask)

    def names(self) -> Sequence[str]:
        """Of all actors that have not ended, waiting ones among them."""
        return self._within(list_named_actors)

    def find(self, name: str) -> Any:
        """The actor of that name; None where there is none."""

        def ask() -> Any:
            try:
                return ray.get_actor(name)
            except ValueError:
                return None

        return self._within(ask)

    def call(self, actor: Any, method: str) -> "Future[Any]":
        """The answer, which may take as long as the actor has to wait."""
        return self._within(lambda: getattr(actor, method).remote().future())

    def kill(self, actor: Any) -> None:
        """Ends the actor's process at once, or takes it out of the queue."""
        self._within(lambda: ray.kill(actor))

    def nodes(self) -> Sequence[Node]:
        """As Ray describes them, lost ones among them."""
        return self._within(ray.nodes)

    def _connect(self) -> bool:
        if self._is_connected and ray.is_initialized():
            return False
        self._is_connected = False
        ray.shutdown()
        ray.init(self._address, namespace=self._namespace, log_to_driver=False)
        self._is_connected = True
        return True

    def _within(self, call: Callable[[], _T]) -> _T:
        """Its result within seconds; while it takes longer, nothing else is asked."""
        if self._late is not None and not self._late.done():
            raise Unknown(f"{self._address} gives no answer")
        answer: Future[_T] = Future()
        threading.Thread(target=_answer, args=(answer, call), daemon=True).start()
        try:
            with self._unknown():
                return answer.result(_TIMEOUT_S)
        except TimeoutError as error:
            self._late = answer
            raise Unknown(f"{self._address} gave no answer within {_TIMEOUT_S:.0f} s") from error

    @contextlib.contextmanager
    def _unknown(self) -> Iterator[None]:
        try:
            yield
        except RayError as error:
            raise Unknown(first_line(error)) from error
        except (ConnectionError, RuntimeError) as error:
            # Such as another version of Ray or Python than the cluster's.
            self.disconnect()
            raise Unknown(f"{self._address}: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _answer(answer: "Future[_T]", call: Callable[[], _T]) -> None:
    try:
        answer.set_result(call())
    except BaseException as error:
        answer.set_exception(error)
