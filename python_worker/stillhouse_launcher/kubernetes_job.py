"""The manifests of a worker in Kubernetes, as plain dictionaries."""

import base64
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .engine import Order, Settings
from .seat import worker_arguments

Manifest = dict[str, Any]

# Where a container has its keys, its checkpoints, and what it downloads: of our images, and what
# another image has to follow.
_KEYS, _WORK, _DATA = "/keys", "/work", "/data"
# The group of our images, which may read the keys.
_GROUP = 10001
# Time for a checkpoint between SIGTERM and SIGKILL.
GRACE_S = 120
# An ended Job and its log stay this long.
_KEPT_S = 600
_MIB = 1 << 20
POOL_LABEL = "stillhouse/pool"


def pool_of(settings: Settings) -> str:
    """Value of the label that all launches of this control plane in this pool have."""
    return settings.prefix.rstrip("-")


def secret_name(settings: Settings) -> str:
    """The Secret with the keys of the pool."""
    return f"{settings.prefix}keys"


def secret_manifest(settings: Settings, folder: Path) -> Manifest:
    """The files of a folder of keys."""
    data = {
        path.name: base64.b64encode(path.read_bytes()).decode()
        for path in sorted(folder.iterdir())
        if path.is_file()
    }
    metadata = {"name": secret_name(settings), "labels": _labels(settings)}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque"} | {
        "metadata": metadata,
        "data": data,
    }


def job_manifest(settings: Settings, order: Order) -> Manifest:
    """A Job that is tried once: who tries again is the control plane alone."""
    labels = _labels(settings)
    template = {
        # A busy worker is not in the way when nodes are given back.
        "metadata": {
            "labels": labels,
            "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
        },
        "spec": _pod(settings, order),
    }
    queue = settings.options.get("queue")
    queued = {} if queue is None else {"kueue.x-k8s.io/queue-name": queue}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": order.launch_id, "labels": labels | queued},
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "ttlSecondsAfterFinished": _KEPT_S,
            "template": template,
        },
    }


def selector_of(text: str) -> dict[str, str]:
    """``a=b,c=d`` as labels. Raises ValueError for anything else."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(key and equals for key, equals, _ in pairs):
        raise ValueError(f"node-selector must be KEY=VALUE,KEY=VALUE, got {text!r}")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _labels(settings: Settings) -> dict[str, str]:
    name = "app.kubernetes.io"
    return {
        f"{name}/name": "stillhouse",
        f"{name}/component": "worker",
        f"{name}/managed-by": "stillhouse",
        POOL_LABEL: pool_of(settings),
    }


def _pod(settings: Settings, order: Order) -> Manifest:
    options = settings.options
    pod: Manifest = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_S,
        # A worker asks nothing of the cluster.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "fsGroup": _GROUP,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(settings, order)],
        "volumes": _volumes(settings),
    }
    if order.device != "cpu":
        tolerated = {"key": _gpu(options), "operator": "Exists", "effect": "NoSchedule"}
        pod["tolerations"] = [tolerated]
    if "service-account" in options:
        pod["serviceAccountName"] = options["service-account"]
    if "priority-class" in options:
        pod["priorityClassName"] = options["priority-class"]
    if "image-pull-secret" in options:
        pod["imagePullSecrets"] = [{"name": options["image-pull-secret"]}]
    if "node-selector" in options:
        pod["nodeSelector"] = selector_of(options["node-selector"])
    return pod


def _container(settings: Settings, order: Order) -> Manifest:
    keys = None if settings.keys is None else _KEYS
    inside = settings._replace(keys=keys, work_dir=_WORK)
    mounts: list[Manifest] = [
        {"name": "work", "mountPath": _WORK},
        {"name": "data", "mountPath": _DATA},
    ]
    if keys is not None:
        mounts.append({"name": "keys", "mountPath": _KEYS, "readOnly": True})
    cpus = settings.options.get("cpus")
    # PyTorch counts the cores of the node.
    threads = [] if cpus is None else [{"name": "OMP_NUM_THREADS", "value": _threads(cpus)}]
    return {
        "name": "worker",
        "image": settings.options["image"],
        # The entry point of the image is the command of a worker. Another pod's folders are not the
        # control plane's, even where they have the same path.
        "args": [*worker_arguments(inside, order), "--no-shared-folders"],
        "env": threads,
        "resources": _resources(settings.options, order),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": mounts,
    }


def _threads(cpus: str) -> str:
    return str(max(1, math.ceil(float(cpus))))


def _resources(options: Mapping[str, str], order: Order) -> Manifest:
    """Memory is a limit as well: a worker that needs more ends, and no other one with it."""
    wanted: dict[str, str] = {}
    memory_mib = int(options.get("memory", 0))
    if "cpus" in options:
        wanted["cpu"] = options["cpus"]
    if order.device == "cpu":
        memory_mib = max(memory_mib, -(-order.memory_bytes // _MIB))
    else:
        wanted[_gpu(options)] = str(order.num_devices)
    if memory_mib > 0:
        wanted["memory"] = f"{memory_mib}Mi"
    return {"requests": wanted, "limits": wanted} if wanted else {}


def _gpu(options: Mapping[str, str]) -> str:
    return options.get("gpu-resource", "nvidia.com/gpu")


def _volumes(settings: Settings) -> list[Manifest]:
    claim = settings.options.get("cache-claim")
    data: Manifest = {"emptyDir": {}}
    if claim is not None:
        data = {"persistentVolumeClaim": {"claimName": claim}}
    volumes: list[Manifest] = [{"name": "work", "emptyDir": {}}, {"name": "data"} | data]
    if settings.keys is not None:
        secret = {"secretName": secret_name(settings), "defaultMode": 0o440}
        volumes.append({"name": "keys", "secret": secret})
    return volumes
