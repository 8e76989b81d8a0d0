"""A stand-in for Kubernetes: the part of its API that launchers use, over real HTTP.

Jobs, pods and Secrets of one namespace, with watches. Without a command the test says what becomes
of pods; with one each Job's container is a process of this machine:

    python kubernetes_server.py FOLDER COMMAND [full]

writes FOLDER/kubeconfig and starts COMMAND with each container's arguments. A full cluster has no
room for any.
"""

import base64
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Document = dict[str, Any]
TOKEN = "token-of-the-cluster"
_TIME = "2026-01-01T00:00:00Z"


class Cluster:
    """What is there, and what becomes of it.

    Attributes:
        faults: answers (status, message) to the next requests, by their method.
        requests: method and path of each.
        schedules: whether a new pod runs at once; else it waits for a node.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, dict[str, Document]] = {"jobs": {}, "pods": {}, "secrets": {}}
        self.faults: dict[str, list[tuple[int, str]]] = {}
        self.requests: list[tuple[str, str]] = []
        self.schedules = True
        self.logs: dict[str, str] = {}
        self.started: Callable[[Document], None] = lambda _: None
        self.ends: Callable[[Document, int], None] = lambda pod, _: self.end(pod, 0)
        self.changed = threading.Condition(threading.RLock())
        self.events: list[Document] = []
        self.num_watches = 0
        self._watch_generation = 0

    def create(self, kind: str, document: Document) -> Document | None:
        """None where there is one of that name."""
        with self.changed:
            name = document["metadata"]["name"]
            if name in self.kinds[kind]:
                return None
            document["metadata"] |= {"creationTimestamp": _TIME, "uid": f"uid-{name}"}
            document.setdefault("status", {})
            self._put(kind, document)
            if kind == "jobs":
                self._add_pod(document)
            return document

    def replace(self, kind: str, document: Document) -> Document:
        with self.changed:
            self._put(kind, document)
            return document

    def run(self, pod: Document) -> None:
        """It has got a node."""
        with self.changed:
            pod["spec"]["nodeName"] = "node-1"
            pod["status"] = {"phase": "Running"}
            self._put("pods", pod)
        self.started(pod)

    def wait_for(self, pod: Document, reason: str, message: str) -> None:
        """It is pending, and says why."""
        with self.changed:
            told = {"reason": reason, "message": message}
            condition = {"type": "PodScheduled", "status": "False", **told}
            pod["status"] = {"phase": "Pending", "conditions": [condition]}
            self._put("pods", pod)

    def end(self, pod: Document, exit_code: int, reason: str = "") -> None:
        """Its container has ended; a pod that was deleted is gone with it."""
        with self.changed:
            ended = {"exitCode": exit_code, "reason": reason or ("Error" if exit_code else "")}
            phase = "Failed" if exit_code else "Succeeded"
            pod["status"] = {"phase": phase}
            pod["status"]["containerStatuses"] = [
                {"name": "worker", "state": {"terminated": ended}}
            ]
            if "deletionTimestamp" in pod["metadata"]:
                self._remove("pods", pod)
            else:
                self._put("pods", pod)
            self._finish(pod, "Failed" if exit_code else "Complete")

    def evict(self, pod: Document, message: str) -> None:
        """The node has no room for it."""
        with self.changed:
            pod["status"] = {"phase": "Failed", "reason": "Evicted", "message": message}
            self._put("pods", pod)
            self._finish(pod, "Failed")

    def drain(self, pod: Document) -> None:
        """By a person: the pod is gone at once."""
        with self.changed:
            self._remove("pods", pod)
            self._finish(pod, "Failed")

    def delete(self, kind: str, name: str) -> bool:
        """Foreground: a Job goes when its pods are gone."""
        with self.changed:
            found = self.kinds[kind].get(name)
            if found is None:
                return False
            found["metadata"]["deletionTimestamp"] = _TIME
            pods = self.pods_of(name)
            if not pods:
                self._remove(kind, found)
        for pod in pods:
            self.delete_pod(pod, pod["spec"]["terminationGracePeriodSeconds"])
        return True

    def delete_pod(self, pod: Document, grace_s: int) -> None:
        pod["metadata"]["deletionTimestamp"] = _TIME
        pod["metadata"]["deletionGracePeriodSeconds"] = grace_s
        if pod["status"].get("phase") == "Running":
            self.ends(pod, grace_s)
        else:
            self.drain(pod)

    def pods_of(self, job: str) -> list[Document]:
        return [
            pod
            for pod in self.kinds["pods"].values()
            if pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == job
        ]

    def pod(self, job: str) -> Document:
        return self.pods_of(job)[0]

    def listed(self, kind: str, selector: str) -> list[Document]:
        with self.changed:
            wanted = [pair.split("=") for pair in selector.split(",") if pair]
            return [
                document
                for document in self.kinds[kind].values()
                if all(document["metadata"].get("labels", {}).get(k) == v for k, v in wanted)
            ]

    def break_watches(self) -> None:
        with self.changed:
            self._watch_generation += 1
            self.changed.notify_all()

    def watched(self) -> Iterator[Document]:
        """Events of pods, as long as nobody breaks the watch."""
        with self.changed:
            generation, at = self._watch_generation, len(self.events)
            self.num_watches += 1
            self.changed.notify_all()
        while True:
            with self.changed:
                while len(self.events) == at and generation == self._watch_generation:
                    self.changed.wait()
                if generation != self._watch_generation:
                    return
                news, at = self.events[at:], len(self.events)
            yield from news

    def _add_pod(self, job: Document) -> None:
        template = json.loads(json.dumps(job["spec"]["template"]))
        name = job["metadata"]["name"]
        labels = {**template["metadata"]["labels"], "batch.kubernetes.io/job-name": name}
        metadata = {"name": f"{name}-x1y2z", "labels": labels, "creationTimestamp": _TIME}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        pod["status"] = {"phase": "Pending"}
        self._put("pods", pod)
        if self.schedules:
            self.run(pod)
        else:
            self.wait_for(pod, "Unschedulable", "0/1 nodes are available")

    def _put(self, kind: str, document: Document) -> None:
        self.kinds[kind][document["metadata"]["name"]] = document
        self._note(kind, "MODIFIED", document)

    def _remove(self, kind: str, document: Document) -> None:
        self.kinds[kind].pop(document["metadata"]["name"], None)
        self._note(kind, "DELETED", document)

    def _note(self, kind: str, event: str, document: Document) -> None:
        document["metadata"]["resourceVersion"] = str(len(self.events) + 1)
        if kind == "pods":
            self.events.append({"type": event, "object": json.loads(json.dumps(document))})
        self.changed.notify_all()

    def _finish(self, pod: Document, condition: str) -> None:
        job = self.kinds["jobs"].get(pod["metadata"]["labels"]["batch.kubernetes.io/job-name"])
        if job is None:
            return
        if "deletionTimestamp" in job["metadata"]:
            self._remove("jobs", job)
        else:
            job["status"] = {"conditions": [{"type": condition, "status": "True"}]}
            self._put("jobs", job)


def write_kubeconfig(path: Path, server: "Server", token: str = TOKEN) -> None:
    address = f"http://127.0.0.1:{server.server_address[1]}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": address}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    path.write_text(json.dumps(document))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def cluster(self) -> Cluster:
        assert isinstance(self.server, Server)
        return self.server.cluster

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        kind, name, query = self._asked()
        if name.endswith("/log"):
            self._text(self.cluster.logs.get(name.removesuffix("/log"), ""))
        elif query.get("watch"):
            self._watch()
        else:
            items = self.cluster.listed(kind, query.get("labelSelector", [""])[0])
            self._answer(200, {"kind": "List", "metadata": {}, "items": items})

    def do_POST(self) -> None:
        kind, _, _ = self._asked()
        made = self.cluster.create(kind, self._body())
        self._answer(201 if made else 409, made or _status("it exists already"))

    def do_PUT(self) -> None:
        kind, _, _ = self._asked()
        self._answer(200, self.cluster.replace(kind, self._body()))

    def do_DELETE(self) -> None:
        kind, name, query = self._asked()
        self._body()
        if name:
            assert query["propagationPolicy"] == ["Foreground"]
            is_there = self.cluster.delete(kind, name)
            self._answer(200 if is_there else 404, _status("" if is_there else "not found"))
            return
        for pod in self.cluster.listed(kind, query["labelSelector"][0]):
            self.cluster.delete_pod(pod, int(query["gracePeriodSeconds"][0]))
        self._answer(200, _status(""))

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        self.cluster.requests.append((self.command, self.path))
        fault = self.cluster.faults.get(self.command)
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            fault = [(401, "Unauthorized")]
        if fault and "watch" not in self.path:
            code, message = fault.pop(0)
            self._body()
            self._answer(code, _status(message))
            return False
        return True

    def _asked(self) -> tuple[str, str, dict[str, list[str]]]:
        url = urlsplit(self.path)
        found = re.search(r"/namespaces/lab/(jobs|pods|secrets)/?(.*)$", url.path)
        assert found is not None, self.path
        return found[1], found[2], parse_qs(url.query)

    def _body(self) -> Document:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return json.loads(text) if text else {}

    def _answer(self, code: int, document: Document) -> None:
        self._text(json.dumps(document), code)

    def _text(self, text: str, code: int = 200) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text.encode())))
        if code == 429:
            self.send_header("Retry-After", "3600")
        self.end_headers()
        self.wfile.write(text.encode())

    def _watch(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.close_connection = True
        for event in self.cluster.watched():
            self.wfile.write(json.dumps(event).encode() + b"\n")
            self.wfile.flush()


class Server(ThreadingHTTPServer):
    """Answers for a cluster until it is shut down."""

    daemon_threads = True

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cluster = cluster
        self.connections: list[socket.socket] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread; its connection is noted for `cut_off`."""
        self.connections.append(request)
        super().process_request(request, client_address)

    def cut_off(self) -> None:
        """End all connections, and so the threads that read from them."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A launcher that ends cuts its connections."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _status(message: str) -> Document:
    return {"kind": "Status", "message": message}


class Kubelet:
    """Runs each pod's container as a process of this machine, with its volumes as folders."""

    def __init__(self, cluster: Cluster, folder: Path, command: str) -> None:
        self._cluster, self._folder, self._command = cluster, folder, command
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        cluster.started, cluster.ends = self._start, self._end

    def end_all(self) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

    def _start(self, pod: Document) -> None:
        name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]
        places = {
            mount["mountPath"]: str(self._volume(pod, mount["name"]))
            for mount in container["volumeMounts"]
        }
        arguments = [places.get(argument, argument) for argument in container["args"]]
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [self._command, *arguments], stdout=log, stderr=log, start_new_session=True
            )
        self._processes[name] = process
        threading.Thread(target=self._wait, args=(pod, process), daemon=True).start()

    def _volume(self, pod: Document, name: str) -> Path:
        folder = self._folder / pod["metadata"]["name"] / name
        folder.mkdir(parents=True)
        volume = next(each for each in pod["spec"]["volumes"] if each["name"] == name)
        if "secret" in volume:
            secret = self._cluster.kinds["secrets"][volume["secret"]["secretName"]]
            for file, content in secret["data"].items():
                (folder / file).write_bytes(base64.b64decode(content))
        return folder

    def _wait(self, pod: Document, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        name = pod["metadata"]["name"]
        self._cluster.logs[name] = (self._folder / f"{name}.log").read_text()
        self._cluster.end(pod, code if code >= 0 else 128 - code)

    def _end(self, pod: Document, grace_s: int) -> None:
        process = self._processes[pod["metadata"]["name"]]
        if process.poll() is not None:
            return
        process.terminate()

        def kill() -> None:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(grace_s, kill)
        timer.daemon = True
        timer.start()


def main() -> None:
    """Until its input is closed. Every line is answered with all that is there, as JSON."""
    folder, command = Path(sys.argv[1]), sys.argv[2]
    cluster = Cluster()
    cluster.schedules = sys.argv[3:] != ["full"]
    kubelet = Kubelet(cluster, folder, command)
    write_kubeconfig(folder / "kubeconfig", Server(cluster))
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(cluster.kinds), flush=True)
    kubelet.end_all()


if __name__ == "__main__":
    main()
