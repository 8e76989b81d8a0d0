"""The API of Kubernetes as far as a launcher needs it: plain dictionaries over one namespace.

The official client knows the ways in: kubeconfig with its plugins, a pod's own account, tokens
that expire. Its models are left aside, since reading a long list into them takes seconds.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from .engine import Unknown

Document = dict[str, Any]

# Seconds to connect, and to answer.
_TIMEOUT_S = (5.0, 20.0)
# A watch that says nothing for this long is begun again, so that a lost connection is noticed.
_WATCH_S = 240
_CHUNK_BYTES = 1 << 16


class Rejected(Exception):
    """The API has answered, with an error.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """One namespace. Every call raises Rejected or Unknown.

    Raises:
        ValueError: where no cluster is configured.
    """

    def __init__(self, namespace: str, kubeconfig: str | None, context: str | None) -> None:
        configuration = _configuration(kubeconfig, context)
        # Who tries again is the control plane, which shows that it waits.
        configuration.retries = False
        api = client.ApiClient(configuration)
        self._batch, self._core = client.BatchV1Api(api), client.CoreV1Api(api)
        self._namespace = namespace

    def create_job(self, manifest: Mapping[str, Any]) -> None:
        """Rejected with 409 where there is one of that name."""
        with _translated():
            self._batch.create_namespaced_job(self._namespace, manifest, **_raw())

    def jobs(self, labels: str) -> list[Document]:
        """The Jobs with these labels."""
        with _translated():
            listed = self._batch.list_namespaced_job(
                self._namespace, label_selector=labels, **_raw()
            )
            return _items(listed)

    def pods(self, labels: str) -> list[Document]:
        """The pods with these labels."""
        with _translated():
            listed = self._core.list_namespaced_pod(
                self._namespace, label_selector=labels, **_raw()
            )
            return _items(listed)

    def delete_job(self, name: str) -> None:
        """The Job stays until its pods have ended within their grace."""
        with _translated(missing_is_fine=True):
            self._batch.delete_namespaced_job(
                name, self._namespace, propagation_policy="Foreground", **_raw()
            )

    def delete_pods(self, labels: str, grace_s: int) -> None:
        """Also shortens the grace of those that end already."""
        with _translated(missing_is_fine=True):
            self._core.delete_collection_namespaced_pod(
                self._namespace, label_selector=labels, grace_period_seconds=grace_s, **_raw()
            )

    def put_secret(self, manifest: Mapping[str, Any]) -> None:
        """Makes it, or replaces what it contains."""
        try:
            with _translated():
                self._core.create_namespaced_secret(self._namespace, manifest, **_raw())
        except Rejected as error:
            if error.status != 409:
                raise
            with _translated():
                name = manifest["metadata"]["name"]
                self._core.replace_namespaced_secret(name, self._namespace, manifest, **_raw())

    def log_tail(self, pod: str, lines: int) -> str:
        """The last lines that it printed."""
        with _translated():
            log = self._core.read_namespaced_pod_log(
                pod, self._namespace, tail_lines=lines, **_raw()
            )
            return str(log.data.decode("utf-8", "replace")).strip()

    def changes(self, labels: str) -> Iterator[None]:
        """One item per change of a pod, until the watch ends."""
        with _translated():
            events = self._core.list_namespaced_pod(
                self._namespace,
                label_selector=labels,
                watch=True,
                timeout_seconds=_WATCH_S,
                _preload_content=False,
                _request_timeout=(_TIMEOUT_S[0], _WATCH_S + _TIMEOUT_S[1]),
            )
            try:
                # What has changed is asked for anew, so that no event need be understood.
                for _ in events.stream(_CHUNK_BYTES):
                    yield
            finally:
                events.close()


def _configuration(kubeconfig: str | None, context: str | None) -> client.Configuration:
    """Of the file that is named or usual, else of the pod that this runs in."""
    configuration = client.Configuration()
    files = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    is_there = any(Path(path).expanduser().exists() for path in files.split(os.pathsep))
    try:
        if kubeconfig is not None or context is not None or is_there:
            config.load_kube_config(files, context, client_configuration=configuration)
        else:
            config.load_incluster_config(client_configuration=configuration)
    except (config.ConfigException, OSError) as error:
        said = str(error).rstrip(".")
        raise ValueError(
            f"no cluster is configured: {said}; give --launcher-option kubeconfig=FILE, set "
            "KUBECONFIG, or run in a pod with a service account"
        ) from error
    return configuration


def _raw() -> dict[str, Any]:
    return {"_preload_content": False, "_request_timeout": _TIMEOUT_S}


def _items(response: Any) -> list[Document]:
    items: list[Document] = json.loads(response.data)["items"]
    return items


@contextlib.contextmanager
def _translated(*, missing_is_fine: bool = False) -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        status = int(error.status or 0)
        if status == 404 and missing_is_fine:
            return
        if status == 0 or status >= 500:
            raise Unknown(f"Kubernetes says {_message(error)}") from error
        raise Rejected(status, f"Kubernetes says {_message(error)}") from error
    except (HTTPError, OSError) as error:
        raise Unknown(f"Kubernetes gave no answer: {error}") from error


def _message(error: ApiException) -> str:
    """The sentence in a Status, or else that of HTTP."""
    try:
        told = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        told = error.reason
    return f"{error.status}: {told}"
