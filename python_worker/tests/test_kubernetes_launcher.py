"""The launcher of Kubernetes, against a stand-in for its API."""

import base64
import importlib
import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_server import Cluster, Server, write_kubeconfig

from stillhouse_launcher.engine import Order, Refused, Settings, Status, Unknown
from stillhouse_launcher.kubernetes_job import job_manifest, secret_manifest
from stillhouse_launcher.lines import Lines


def needed(package: str) -> Any:
    """A package that set-up does not install; the test is skipped without it, and fails in CI."""
    install = "-m pip install --requirement python_worker/tests/kubernetes.lock"
    if os.environ.get("CI"):
        return importlib.import_module(package)
    return pytest.importorskip(package, reason=f"{package} is missing: .venv/bin/python {install}")


needed("kubernetes")
Kubernetes = importlib.import_module("stillhouse_launcher.kubernetes").Kubernetes

MIB = 1 << 20
ID = "k8s-abc-1"
# The last three that kubernetes-validate knows.
EXAMPLES = Path(__file__).parents[2] / "examples"
EXAMPLE = EXAMPLES / "kubernetes.yaml"
VERSIONS = ["1.35", "1.36", "1.37"]


def order(launch_id: str = ID, device: str = "cpu", devices: int = 1, memory: int = 0) -> Order:
    return Order(launch_id, device, devices, memory)


def settings(tmp_path: Path, keys: Path | None = None, **options: str) -> Settings:
    given = {name.replace("_", "-"): value for name, value in options.items()}
    return Settings(
        prefix="k8s-abc-",
        python="/python",
        workers="tcp://h:1",
        grpc="h:2",
        keys=None if keys is None else str(keys),
        work_dir="/home/work",
        logs=str(tmp_path),
        leave_after_s=600,
        options={"image": "lab/worker@sha256:0", "namespace": "lab", **given},
    )


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    cluster = Cluster()
    server = Server(cluster)
    write_kubeconfig(tmp_path / "kubeconfig", server)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    yield cluster
    server.shutdown()
    # Who waits for an answer is cut off; a thread that waits for ever would abort the interpreter.
    server.server_close()
    cluster.break_watches()
    server.cut_off()


def keys_in(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "token").write_text("sth_pool\n")
    (folder / "curve.key_secret").write_text("secret")
    return folder


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_fits_the_schemas_of_kubernetes(tmp_path, version):
    validate = needed("kubernetes_validate")
    keys = keys_in(tmp_path)
    everything = settings(
        tmp_path,
        keys,
        cpus="3.5",
        memory="4096",
        node_selector="zone=a,disk=ssd",
        service_account="worker",
        priority_class="low",
        image_pull_secret="registry",
        queue="team",
        cache_claim="models",
        gpu_resource="amd.com/gpu",
    )
    gpus = order(device="cuda", devices=2)
    for manifest in (
        job_manifest(settings(tmp_path), order()),
        job_manifest(everything, gpus),
        secret_manifest(everything, keys),
    ):
        validate.validate(manifest, version, strict=True)
    wrong = job_manifest(everything, gpus)
    wrong["spec"]["backofLimit"] = wrong["spec"].pop("backoffLimit")
    with pytest.raises(validate.ValidationError, match="backofLimit"):
        validate.validate(wrong, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_pods_of_the_example_for_kuberay_fit_the_schemas_of_kubernetes(version):
    validate = needed("kubernetes_validate")
    cluster = yaml.safe_load((EXAMPLES / "kuberay.yaml").read_text())
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    for group in groups:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, **group["template"]}
        validate.validate(pod, version, strict=True)
    lock = (EXAMPLES.parent / "python_worker/stillhouse_launcher/ray.lock").read_text()
    assert f"\nray=={cluster['spec']['rayVersion']}\n" in lock


def test_the_example_fits_the_schemas_and_gives_the_rights_that_are_used(cluster, tmp_path):
    validate = needed("kubernetes_validate")
    documents = list(yaml.safe_load_all(EXAMPLE.read_text()))
    for document in documents:
        for version in VERSIONS:
            validate.validate(document, version, strict=True)
    [role] = [each for each in documents if each["kind"] == "Role"]
    granted = {
        (verb, resource)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    engine = Kubernetes(settings(tmp_path, keys_in(tmp_path)))
    engine.launch(order())
    engine.stop(ID)
    engine.end_of(ID)
    engine.launch(order("k8s-abc-2"))
    engine.kill("k8s-abc-2")
    engine.live()
    Kubernetes(settings(tmp_path, tmp_path / "keys")).launch(order("k8s-abc-3"))
    engine.live()
    cluster.end(cluster.pod("k8s-abc-3"), 1)
    engine.end_of("k8s-abc-3")
    with cluster.changed:
        cluster.changed.wait_for(lambda: cluster.num_watches > 0)
    assert {right_for(*request) for request in cluster.requests} == granted


def right_for(method: str, path: str) -> tuple[str, str]:
    """The verb and the resource that Kubernetes asks its rules for."""
    found = re.search(r"/namespaces/lab/(\w+)(/[^/?]+)?(/log)?(\?.*)?$", path)
    assert found is not None
    resource, name, log, query = found.groups()
    if method == "GET":
        verb = "get" if name else "watch" if "watch=" in (query or "") else "list"
    else:
        verb = {"POST": "create", "PUT": "update"}.get(
            method, "delete" if name else "deletecollection"
        )
    return verb, resource + (log or "")


def test_a_job_is_tried_once_and_has_what_its_order_says(tmp_path):
    given = settings(tmp_path, keys_in(tmp_path), cpus="3.5", memory="100")
    job = job_manifest(given, order(memory=300 * MIB + 1))
    assert (job["metadata"]["name"], job["spec"]["backoffLimit"]) == (ID, 0)
    pod = job["spec"]["template"]["spec"]
    assert (pod["restartPolicy"], pod["terminationGracePeriodSeconds"]) == ("Never", 120)
    [container] = pod["containers"]
    assert container["resources"]["limits"] == {"cpu": "3.5", "memory": "301Mi"}
    assert container["env"] == [{"name": "OMP_NUM_THREADS", "value": "4"}]
    args = " ".join(container["args"])
    assert f"--connect tcp://h:1 --grpc h:2 --id {ID} --device cpu --work-dir /work" in args
    assert args.endswith("--keys /keys --no-shared-folders")
    assert "sth_pool" not in json.dumps(job)
    assert str(tmp_path) not in json.dumps(job)

    gpus = job_manifest(given, order(device="cuda", devices=2, memory=300 * MIB))
    limits = gpus["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "3.5", "memory": "100Mi", "nvidia.com/gpu": "2"}


def test_asked_for_twice_there_is_one_job_and_the_keys_are_a_secret(cluster, tmp_path):
    engine = Kubernetes(settings(tmp_path, keys_in(tmp_path)))
    engine.launch(order())
    engine.launch(order())
    assert list(cluster.kinds["jobs"]) == [ID]
    [secret] = cluster.kinds["secrets"].values()
    assert sorted(secret["data"]) == ["curve.key_secret", "token"]
    mounted = cluster.pod(ID)["spec"]["volumes"][-1]["secret"]
    assert mounted["secretName"] == secret["metadata"]["name"]

    (tmp_path / "keys" / "token").write_text("sth_new\n")
    Kubernetes(settings(tmp_path, tmp_path / "keys")).launch(order("k8s-abc-2"))
    [secret] = cluster.kinds["secrets"].values()
    assert base64.b64decode(secret["data"]["token"]) == b"sth_new\n"


def test_those_of_the_pool_are_listed_with_what_they_wait_for(cluster, tmp_path):
    cluster.schedules = False
    engine = Kubernetes(settings(tmp_path))
    for number in range(4):
        engine.launch(order(f"k8s-abc-{number}"))
    other = settings(tmp_path)._replace(prefix="other-abc-")
    Kubernetes(other).launch(order("other-abc-1"))
    cluster.wait_for(cluster.pod("k8s-abc-0"), "Unschedulable", "0/3 nodes are available")
    cluster.run(cluster.pod("k8s-abc-1"))
    cluster.end(cluster.pod("k8s-abc-2"), 1)
    cluster.kinds["pods"].pop(cluster.pod("k8s-abc-3")["metadata"]["name"])
    assert engine.live() == [
        Status("k8s-abc-0", "pending", "Unschedulable: 0/3 nodes are available"),
        Status("k8s-abc-1", "running", "", "node-1"),
        Status("k8s-abc-3", "pending", "it has no pod yet"),
    ]


def test_an_end_has_its_reason_and_the_last_lines_of_its_log(cluster, tmp_path):
    engine = Kubernetes(settings(tmp_path))
    for number in range(4):
        engine.launch(order(f"k8s-abc-{number}"))
    engine.live()
    pods = [cluster.pod(f"k8s-abc-{number}") for number in range(4)]
    cluster.logs[pods[0]["metadata"]["name"]] = "one\ntwo\n"
    cluster.end(pods[0], 137, "OOMKilled")
    cluster.evict(pods[1], "The node was low on resource: memory.")
    cluster.drain(pods[2])
    cluster.end(pods[3], 0)
    assert engine.live() == []
    ends = [engine.end_of(f"k8s-abc-{number}") for number in range(4)]
    assert ends[0] == Status("k8s-abc-0", "ended", "OOMKilled, exit code 137", "node-1", "one\ntwo")
    assert ends[1].reason == "Evicted: The node was low on resource: memory."
    assert (ends[2].reason, ends[2].node) == ("its pod is gone", "node-1")
    assert ends[3].reason == "it ended, exit code 0"
    assert engine.end_of("k8s-abc-9").reason == "Kubernetes has it no more"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(403, Refused), (422, Refused), (429, Refused), (500, Unknown), (503, Unknown)],
)
def test_only_an_answer_is_a_refusal(cluster, tmp_path, status, expected):
    engine = Kubernetes(settings(tmp_path))
    cluster.faults["POST"] = [(status, "what it says")]
    with pytest.raises(expected, match=rf"Kubernetes says {status}: what it says"):
        engine.launch(order())
    assert cluster.kinds["jobs"] == {}
    assert len([path for method, path in cluster.requests if method == "POST"]) == 1
    engine.launch(order())
    assert list(cluster.kinds["jobs"]) == [ID]


@pytest.mark.parametrize("status", [401, 429, 503])
def test_a_list_that_is_refused_says_nothing_about_what_runs(cluster, tmp_path, status):
    engine = Kubernetes(settings(tmp_path))
    engine.launch(order())
    cluster.faults["GET"] = [(status, "not now")]
    with pytest.raises(Unknown, match="not now"):
        engine.live()
    assert [each.launch_id for each in engine.live()] == [ID]


def test_no_answer_at_all_is_not_known_either(tmp_path, monkeypatch):
    server = Server(Cluster())
    write_kubeconfig(tmp_path / "kubeconfig", server)
    server.shutdown()
    server.server_close()
    engine = Kubernetes(settings(tmp_path, kubeconfig=str(tmp_path / "kubeconfig")))
    with pytest.raises(Unknown, match="Kubernetes gave no answer"):
        engine.launch(order())


def test_a_stop_leaves_time_for_a_checkpoint_and_is_listed_until_the_end(cluster, tmp_path):
    told: list[int] = []
    cluster.ends = lambda _, grace_s: told.append(grace_s)
    engine = Kubernetes(settings(tmp_path))
    engine.launch(order())
    engine.stop(ID)
    assert told == [120]
    assert [each.phase for each in engine.live()] == ["running"]
    engine.kill(ID)
    assert told == [120, 120, 1]
    cluster.end(cluster.pod(ID), 0)
    assert (engine.live(), cluster.kinds["jobs"]) == ([], {})
    engine.stop(ID)


def test_one_that_waits_is_gone_when_it_is_stopped(cluster, tmp_path):
    cluster.schedules = False
    engine = Kubernetes(settings(tmp_path))
    engine.launch(order())
    engine.stop(ID)
    assert (engine.live(), cluster.kinds["pods"]) == ([], {})


class Talk:
    """A launcher with its lines, as a control plane has them."""

    def __init__(self, given: Settings) -> None:
        reads, self._asks = os.pipe()
        told, writes = os.pipe()
        self._answers = os.fdopen(told)
        lines = Lines({"kubernetes": Kubernetes}, reads, os.fdopen(writes, "w"))
        self._thread = threading.Thread(target=lines.serve)
        self._thread.start()
        self.ask("open", engine="kubernetes", settings=given._asdict())

    def ask(self, op: str, **fields: object) -> None:
        os.write(self._asks, (json.dumps({"id": 0, "op": op, **fields}) + "\n").encode())

    def status(self) -> Status:
        """The next that comes without a question."""
        while "status" not in (message := json.loads(self._answers.readline())):
            assert "error" not in message, message
        return Status(**message["status"])

    def close(self) -> None:
        os.close(self._asks)
        self._thread.join()


def test_a_change_is_heard_of_by_the_watch_also_after_it_broke(cluster, tmp_path):
    cluster.schedules = False
    # So that nothing but the watch can say it within the life of this test.
    talk = Talk(settings(tmp_path, poll="100000"))
    talk.ask("launch", order=order()._asdict())
    with cluster.changed:
        cluster.changed.wait_for(lambda: cluster.num_watches == 1 and cluster.pods_of(ID))
    cluster.wait_for(cluster.pod(ID), "Unschedulable", "no node")
    assert talk.status().reason == "Unschedulable: no node"
    cluster.break_watches()
    # While nobody watches.
    cluster.run(cluster.pod(ID))
    assert talk.status() == Status(ID, "running", "", "node-1")
    with cluster.changed:
        cluster.changed.wait_for(lambda: cluster.num_watches == 2)
    cluster.evict(cluster.pod(ID), "memory")
    assert (end := talk.status()).phase == "ended"
    assert end.reason == "Evicted: memory"
    talk.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"color": "red"}, r"no option 'color'; it has cache-claim, context, cpus"),
        ({"memory": "4Gi"}, r"option memory of kubernetes: .*'4Gi'"),
        ({"node_selector": "a"}, r"node-selector must be KEY=VALUE,KEY=VALUE, got 'a'"),
        ({"context": "nowhere"}, r"no cluster is configured: .*nowhere.*kubeconfig=FILE"),
    ],
)
def test_a_wrong_option_is_named(cluster, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        Kubernetes(settings(tmp_path, **options))


def test_without_an_image_there_is_no_worker(tmp_path):
    given = settings(tmp_path)
    with pytest.raises(ValueError, match="needs --image"):
        Kubernetes(given._replace(options={"namespace": "lab"}))
