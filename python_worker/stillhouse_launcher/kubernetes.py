"""Kubernetes: a Job of batch/v1 per worker."""

import atexit
import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .bell import Bell
from .engine import Order, Refused, Settings, Status, Unknown
from .kubernetes_api import Api, Document, Rejected
from .kubernetes_job import POOL_LABEL, job_manifest, pool_of, secret_manifest, selector_of
from .seat import TAIL_LINES

_OPTIONS = (
    "cache-claim context cpus gpu-resource image image-pull-secret kubeconfig memory namespace "
    "node-selector poll priority-class queue service-account"
).split()
# Changes are heard of by a watch. This is for what it misses.
_DEFAULT_POLL_S = 30.0
_JOB_LABEL = "batch.kubernetes.io/job-name"
# The shortest that lets a container's runtime end it; with 0 the API forgets it while it runs.
_KILL_GRACE_S = 1
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
# How long an end of the process waits for the watch, which may be listening.
_LONGEST_END_S = 1.0


class Kubernetes:
    """The Jobs of a namespace that have the label of the pool.

    Raises:
        ValueError: for an option that is not one of Kubernetes' here, or a wrong value.
    """

    def __init__(self, settings: Settings) -> None:
        options = settings.options
        _check(options)
        self._settings = settings
        self.poll_s = float(options.get("poll", _DEFAULT_POLL_S))
        where = (options.get("kubeconfig"), options.get("context"))
        self._api = Api(options.get("namespace", "default"), *where)
        self._labels = f"{POOL_LABEL}={pool_of(settings)}"
        self._pods: dict[str, Document] = {}
        self._has_keys = settings.keys is None
        self._bell = Bell()
        self.changes: int | None = self._bell.fd
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._watcher.start()
        # A thread that is still running when the interpreter ends can abort the process.
        atexit.register(self._close)

    def launch(self, order: Order) -> None:
        """A Job of that name is already what is asked for. 429 is a refusal: the pool waits."""
        try:
            if not self._has_keys:
                folder = Path(self._settings.keys or "")
                self._api.put_secret(secret_manifest(self._settings, folder))
                self._has_keys = True
            self._api.create_job(job_manifest(self._settings, order))
        except Rejected as error:
            if error.status != 409:
                raise Refused(str(error)) from error

    def live(self) -> Sequence[Status]:
        """Two questions, for all Jobs and all pods of the pool."""
        with _unknown():
            jobs = self._api.jobs(self._labels)
            pods = _newest(self._api.pods(self._labels))
        unfinished = [job for job in jobs if not _has_ended(job, pods.get(_name(job)))]
        names = {_name(job) for job in unfinished}
        # What ended since is still asked for by `end_of`.
        self._pods |= {name: pod for name, pod in pods.items() if name in names}
        return [_status(job, pods.get(_name(job))) for job in unfinished]

    def end_of(self, launch_id: str) -> Status:
        """From its pod: as it is now, or, where it is gone, as it was when it was last seen."""
        seen, log = self._pods.pop(launch_id, None), ""
        with contextlib.suppress(Rejected, Unknown):
            seen = _newest(self._api.pods(f"{_JOB_LABEL}={launch_id}")).get(launch_id, seen)
            if seen is not None:
                log = self._api.log_tail(_name(seen), TAIL_LINES)
        reason = "Kubernetes has it no more" if seen is None else _ending(seen)
        return Status(launch_id, "ended", reason, _node(seen), log)

    def stop(self, launch_id: str) -> None:
        """The pod gets SIGTERM, and its grace; the Job is listed until the pod has ended."""
        with _unknown():
            self._api.delete_job(launch_id)

    def kill(self, launch_id: str) -> None:
        """The Job first, which would otherwise count the lost pod as one that failed."""
        with _unknown():
            self._api.delete_job(launch_id)
            self._api.delete_pods(f"{_JOB_LABEL}={launch_id}", _KILL_GRACE_S)

    def _close(self) -> None:
        self._closed.set()
        self._watcher.join(_LONGEST_END_S)

    def _watch(self) -> None:
        """Each change, and each new beginning, is a reason to list anew, and nothing else."""
        pause_s = _FIRST_PAUSE_S
        while not self._closed.is_set():
            self._bell.ring()
            with contextlib.suppress(Rejected, Unknown):
                for _ in self._api.changes(self._labels):
                    self._bell.ring()
                    pause_s = _FIRST_PAUSE_S
            self._closed.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _check(options: Mapping[str, str]) -> None:
    for name in options:
        if name not in _OPTIONS:
            known = ", ".join(_OPTIONS)
            raise ValueError(f"kubernetes has no option {name!r}; it has {known}")
    if "image" not in options:
        raise ValueError("kubernetes needs --image, the image of a worker")
    wholes: dict[str, Callable[[str], object]] = {"memory": int, "cpus": float, "poll": float}
    for name, read in {**wholes, "node-selector": selector_of}.items():
        try:
            read(options.get(name, "0=0" if name == "node-selector" else "0"))
        except ValueError as error:
            raise ValueError(f"option {name} of kubernetes: {error}") from error


@contextlib.contextmanager
def _unknown() -> Iterator[None]:
    """What the API refuses here says nothing about what runs."""
    try:
        yield
    except Rejected as error:
        raise Unknown(str(error)) from error


def _newest(pods: Sequence[Document]) -> dict[str, Document]:
    """By the name of their Job."""
    by_age = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    return {pod["metadata"]["labels"].get(_JOB_LABEL, ""): pod for pod in by_age}


def _has_ended(job: Document, pod: Document | None) -> bool:
    conditions = job.get("status", {}).get("conditions") or []
    if pod is None and "deletionTimestamp" in job["metadata"]:
        return True
    return any(each["type"] in ("Complete", "Failed") for each in conditions if _is_true(each))


def _is_true(condition: Mapping[str, Any]) -> bool:
    return condition.get("status") == "True"


def _status(job: Document, pod: Document | None) -> Status:
    name = _name(job)
    if pod is None:
        is_held = bool(job["spec"].get("suspend"))
        return Status(name, "pending", "suspended" if is_held else "it has no pod yet")
    if pod["status"].get("phase", "Pending") == "Pending":
        return Status(name, "pending", _waiting_for(pod), _node(pod))
    return Status(name, "running", "", _node(pod))


def _waiting_for(pod: Document) -> str:
    """Such as "Unschedulable: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu."."""
    states = [each.get("state", {}) for each in pod["status"].get("containerStatuses") or []]
    waiting: list[Mapping[str, Any]] = [each["waiting"] for each in states if "waiting" in each]
    conditions = pod["status"].get("conditions") or []
    held = [each for each in conditions if each["type"] == "PodScheduled" and not _is_true(each)]
    for each in [*waiting, *held]:
        return _sentence(each)
    return ""


def _ending(pod: Document) -> str:
    """Such as "Evicted: The node was low on resource: memory." or "OOMKilled, exit code 137"."""
    status = pod["status"]
    if status.get("reason"):
        return _sentence(status)
    for each in status.get("containerStatuses") or []:
        ended = each.get("state", {}).get("terminated")
        if ended:
            return f"{ended.get('reason') or 'it ended'}, exit code {ended['exitCode']}"
    return "its pod is gone"


def _sentence(told: Mapping[str, Any]) -> str:
    first_line = (told.get("message") or "").strip().partition("\n")[0]
    return ": ".join(part for part in (told.get("reason") or "", first_line) if part)


def _name(document: Document) -> str:
    return str(document["metadata"]["name"])


def _node(pod: Document | None) -> str:
    return "" if pod is None else str(pod["spec"].get("nodeName") or "")
