"""What a worker needs of Ray: the command and the resources of its actor, and what it waits for."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import ray_keeper
from .engine import Order, Settings
from .ray_seat import SeatPlan
from .seat import worker_command

OPTIONS = "accelerator-type address cpus memory poll python resources".split()
_MIB = 1 << 20


def check(options: Mapping[str, str]) -> None:
    """Raises ValueError for an option that is not one of Ray's here, or a wrong value."""
    for name in options:
        if name not in OPTIONS:
            raise ValueError(f"ray has no option {name!r}; it has {', '.join(OPTIONS)}")
    reads: dict[str, Callable[[str], object]] = {
        **{"cpus": float, "memory": int, "poll": float},
        "resources": _custom,
    }
    for name, read in reads.items():
        try:
            read(options.get(name, "0" if name != "resources" else "any=0"))
        except ValueError as error:
            raise ValueError(f"option {name} of ray: {error}") from error


def plan_of(settings: Settings, order: Order) -> SeatPlan:
    """What the actor starts. The keys are in it and not in the command, which nodes show to all.

    Raises:
        OSError: where the keys cannot be read.
    """
    keys = {} if settings.keys is None else _files(Path(settings.keys))
    inside = settings._replace(
        python=settings.options.get("python", settings.python),
        keys=None if settings.keys is None else "{folder}/keys",
        work_dir="{folder}/work",
    )
    return SeatPlan(worker_command(inside, order), keys, Path(ray_keeper.__file__).read_text())


def resources_of(options: Mapping[str, str], order: Order) -> dict[str, Any]:
    """As options of an actor. Those of the CPU are its threads, and one by default."""
    wanted: dict[str, Any] = {"num_cpus": float(options.get("cpus", 1)), "num_gpus": 0}
    memory_bytes = int(options.get("memory", 0)) * _MIB
    if order.device == "cpu":
        memory_bytes = max(memory_bytes, order.memory_bytes)
    else:
        wanted["num_gpus"] = order.num_devices
        if "accelerator-type" in options:
            wanted["accelerator_type"] = options["accelerator-type"]
    if memory_bytes > 0:
        wanted["memory"] = memory_bytes
    if "resources" in options:
        wanted["resources"] = _custom(options["resources"])
    return wanted


def waiting_for(wanted: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> str:
    """Why an actor with these resources has no node: "Resources", or what no node has in all.

    An autoscaler adds a node where it has a type that is large enough.
    """
    needs = {
        **{"CPU": wanted["num_cpus"], "GPU": wanted["num_gpus"]},
        **{"memory": wanted.get("memory", 0), **wanted.get("resources", {})},
    }
    for node in nodes:
        has = node["Resources"]
        if node["Alive"] and all(has.get(name, 0) >= need for name, need in needs.items()):
            return "Resources"
    needed = ", ".join(_amount(name, need) for name, need in needs.items() if need > 0)
    return f"no node has {needed}"


def name_of(node_id: str, nodes: Sequence[Mapping[str, Any]]) -> str:
    """The name that a node was given, else its host's; empty where Ray does not know it."""
    for node in nodes:
        if node["NodeID"] == node_id:
            name, host = str(node["NodeName"]), str(node["NodeManagerHostname"])
            return host if name == node["NodeManagerAddress"] else name
    return ""


def _amount(name: str, need: float) -> str:
    return f"{-(-int(need) // _MIB)} MiB" if name == "memory" else f"{need:g} {name}"


def _custom(text: str) -> dict[str, float]:
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(key.strip() and equals for key, equals, _ in pairs):
        raise ValueError(f"must be KEY=NUMBER,KEY=NUMBER, got {text!r}")
    return {key.strip(): float(value) for key, _, value in pairs}


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
