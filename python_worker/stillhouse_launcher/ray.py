"""Ray: a detached, named actor per worker, which Ray never restarts.

Its autoscaler sees the actors that wait, and adds nodes for them.
"""

import contextlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any

from ray.exceptions import ActorUnavailableError

from .bell import Bell
from .engine import Order, Refused, Settings, Status, Unknown
from .ray_cluster import Cluster, first_line
from .ray_demand import check, name_of, plan_of, resources_of, waiting_for

# Changes are heard of from the actors. This is for what is missed.
_DEFAULT_POLL_S = 30.0
# How long an actor that runs takes to answer.
_ANSWER_S = 2.0


@dataclass
class _Launch:
    """What is known of an actor: its node as soon as it runs, and how its worker has ended."""

    actor: Any
    node_id: "Future[str]"
    end: "Future[Mapping[str, str]]"


class Ray:
    """The actors of a namespace that belongs to the pool of one control plane.

    Raises:
        ValueError: for an option that is not one of Ray's here, or a wrong value.
    """

    def __init__(self, settings: Settings) -> None:
        check(settings.options)
        self._settings = settings
        self.poll_s = float(settings.options.get("poll", _DEFAULT_POLL_S))
        namespace = f"stillhouse-{settings.prefix.rstrip('-')}"
        self._cluster = Cluster(settings.options["address"], namespace)
        self._launches: dict[str, _Launch] = {}
        self._wanted: dict[str, Mapping[str, Any]] = {}
        # Ray lists them for a moment after their end was told.
        self._over: set[str] = set()
        self._nodes: Sequence[Mapping[str, Any]] = ()
        self._bell = Bell()
        self.changes: int | None = self._bell.fd

    def launch(self, order: Order) -> None:
        """An actor of that name is already what is asked for."""
        try:
            self._connect()
        except Unknown as error:
            raise Refused(str(error)) from error
        try:
            plan = plan_of(self._settings, order)
        except OSError as error:
            raise Refused(f"the keys of the pool cannot be read: {error}") from error
        wanted = resources_of(self._settings.options, order)
        actor = self._cluster.create(order.launch_id, plan, wanted)
        self._launches[order.launch_id] = self._follow(actor)
        self._wanted[order.launch_id] = wanted

    def live(self) -> Sequence[Status]:
        """One question for all names; of each the actor itself says what becomes of it."""
        self._connect()
        listed = self._cluster.names()
        self._over.intersection_update(listed)
        for name in set(listed).difference(self._launches, self._over):
            if name.startswith(self._settings.prefix):
                self._adopt(name)
        alive = [name for name in listed if name in self._launches and self._is_alive(name)]
        self._look_at_nodes(alive)
        return [self._status(name) for name in alive]

    def end_of(self, launch_id: str) -> Status:
        """As its actor has told it, or Ray of the actor."""
        launch = self._launches.pop(launch_id, None)
        self._wanted.pop(launch_id, None)
        self._over.add(launch_id)
        if launch is None:
            return Status(launch_id, "ended", "Ray has it no more")
        wait([launch.end], _ANSWER_S)
        reason, log_tail = _ending(launch.end)
        # It waits for this, and has its resources until then.
        with contextlib.suppress(Unknown):
            self._cluster.kill(launch.actor)
        node = name_of(_result(launch.node_id), self._nodes)
        return Status(launch_id, "ended", reason, node, log_tail)

    def stop(self, launch_id: str) -> None:
        """An actor that waits is taken out of the queue; the worker of another gets SIGTERM."""
        self._end(launch_id, "stop")

    def kill(self, launch_id: str) -> None:
        """The worker first, which would otherwise have some seconds after its actor's end."""
        self._end(launch_id, "kill")

    def _end(self, launch_id: str, method: str) -> None:
        self._connect()
        if launch_id not in self._launches and not self._adopt(launch_id):
            return
        launch = self._launches[launch_id]
        wait([launch.node_id], _ANSWER_S)
        is_running = _result(launch.node_id) != ""
        if is_running:
            wait([self._cluster.call(launch.actor, method)], _ANSWER_S)
        if not is_running or method == "kill":
            self._cluster.kill(launch.actor)

    def _connect(self) -> None:
        if self._cluster.connect():
            self._launches.clear()

    def _adopt(self, name: str) -> bool:
        """False where there is no such actor."""
        actor = self._cluster.find(name)
        if actor is not None:
            self._launches[name] = self._follow(actor)
        return actor is not None

    def _follow(self, actor: Any) -> _Launch:
        answers = [self._cluster.call(actor, method) for method in ("node_id", "end")]
        for answer in answers:
            answer.add_done_callback(lambda _: self._bell.ring())
        return _Launch(actor, *answers)

    def _is_alive(self, name: str) -> bool:
        """Raises Unknown where the actor's answer was lost with the connection."""
        launch = self._launches[name]
        if not launch.end.done():
            return True
        error = launch.end.exception()
        if isinstance(error, ConnectionError):
            self._cluster.disconnect()
            raise Unknown(first_line(error))
        if isinstance(error, ActorUnavailableError):
            # Ray does not know yet whether it has ended.
            self._launches[name] = self._follow(launch.actor)
            return True
        return False

    def _look_at_nodes(self, names: Sequence[str]) -> None:
        known = {node["NodeID"] for node in self._nodes}
        ids = {_result(self._launches[name].node_id) for name in names}
        if not ids <= known:
            self._nodes = self._cluster.nodes()

    def _status(self, name: str) -> Status:
        node_id = _result(self._launches[name].node_id)
        if node_id != "":
            return Status(name, "running", "", name_of(node_id, self._nodes))
        wanted = self._wanted.get(name)
        reason = "it has no node yet" if wanted is None else waiting_for(wanted, self._nodes)
        return Status(name, "pending", reason)


def _result(answer: "Future[str]") -> str:
    """Empty where there is none."""
    return answer.result() if answer.done() and answer.exception() is None else ""


def _ending(end: "Future[Mapping[str, str]]") -> tuple[str, str]:
    """The reason and the tail of the log."""
    if not end.done():
        return "Ray has it no more", ""
    error = end.exception()
    if error is None:
        return end.result()["reason"], end.result()["log_tail"]
    # A sentence, facts that are indented, and what the actor died of.
    sentences = [line for line in str(error).splitlines() if line and not line.startswith("\t")]
    return " ".join(sentences[1:3]) or first_line(error), ""
