"""What the launcher of Ray does without Ray; a real cluster is in test/integration."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stillhouse_launcher import __main__ as program
from stillhouse_launcher import ray_keeper
from stillhouse_launcher.engine import Order, Settings
from stillhouse_launcher.ray_demand import check, name_of, plan_of, resources_of, waiting_for

MIB = 1 << 20


def settings(keys: Path | None = None, **options: str) -> Settings:
    given = {name.replace("_", "-"): value for name, value in options.items()}
    return Settings(
        prefix="ray-abc-",
        python="/python",
        workers="tcp://h:1",
        grpc="h:2",
        keys=None if keys is None else str(keys),
        work_dir="/home/work",
        logs="/home/logs",
        leave_after_s=600,
        options={"address": "ray://head:10001", **given},
    )


def order(device: str = "cpu", devices: int = 1, memory: int = 0) -> Order:
    return Order("ray-abc-1", device, devices, memory)


def node(node_id: str = "1", name: str = "n1", is_alive: bool = True, **resources: float):
    found = {"NodeID": node_id, "NodeName": name, "Alive": is_alive, "Resources": resources}
    return {**found, "NodeManagerAddress": "10.0.0.9", "NodeManagerHostname": "host"}


def test_the_keys_travel_beside_the_command_and_not_in_it(tmp_path):
    (tmp_path / "token").write_text("sth_pool\n")
    plan = plan_of(settings(tmp_path), order())
    assert plan.keys == {"token": b"sth_pool\n"}
    text = " ".join(plan.command)
    assert text.startswith("/python -P -m stillhouse_worker worker --connect tcp://h:1")
    assert "--id ray-abc-1 --device cpu --work-dir {folder}/work" in text
    assert text.endswith("--keys {folder}/keys")
    assert "sth_pool" not in text
    open_plan = plan_of(settings(python="/opt/venv/bin/python"), order())
    assert open_plan.command[0] == "/opt/venv/bin/python"
    assert (open_plan.keys, "--keys" in open_plan.command) == ({}, False)


def test_an_actor_asks_for_what_its_order_says():
    assert resources_of({}, order()) == {"num_cpus": 1.0, "num_gpus": 0}
    options = {"cpus": "3.5", "memory": "100", "accelerator-type": "H100", "resources": "spot=0.5"}
    cpu = resources_of(options, order(memory=300 * MIB + 1))
    spot = {"resources": {"spot": 0.5}}
    assert cpu == {"num_cpus": 3.5, "num_gpus": 0, "memory": 300 * MIB + 1, **spot}
    gpu = resources_of(options, order("cuda", 2, 300 * MIB))
    of_gpu = {"num_gpus": 2, "accelerator_type": "H100"}
    assert gpu == {"num_cpus": 3.5, "memory": 100 * MIB, **of_gpu, **spot}


def test_what_waits_says_whether_any_node_could_have_it():
    wanted = resources_of({"cpus": "4", "memory": "100", "resources": "spot=1"}, order())
    large = {"CPU": 8.0, "memory": 200.0 * MIB, "spot": 2.0}
    assert waiting_for(wanted, [node(CPU=2.0), node(**large)]) == "Resources"
    lost = node(is_alive=False, **large)
    expected = "no node has 4 CPU, 100 MiB, 1 spot"
    assert waiting_for(wanted, [lost, node(CPU=8.0, memory=200.0 * MIB)]) == expected
    assert waiting_for(wanted, []) == expected


def test_a_node_has_the_name_that_it_was_given_else_its_hosts():
    nodes = [node("1", "10.0.0.9"), node("2", "gpu-7")]
    assert [name_of(each, nodes) for each in ("1", "2", "3")] == ["host", "gpu-7", ""]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"color": "red"}, r"ray has no option 'color'; it has accelerator-type, address, cpus"),
        ({"cpus": "many"}, r"option cpus of ray: .*'many'"),
        ({"resources": "spot"}, r"option resources of ray: must be KEY=NUMBER.*'spot'"),
        ({"resources": "spot=some"}, r"option resources of ray: .*'some'"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        check(options)


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "stillhouse_launcher.ray", raising=False)
    monkeypatch.delitem(sys.modules, "stillhouse_launcher.ray_cluster", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"stillhouse\[ray\]: \S+ -m pip install .*ray\.lock$"):
        program._ray(settings())


class Kept:
    """A keeper with a shell's script as its worker."""

    def __init__(
        self, tmp_path: Path, script: str, grace_s: float = 600.0, shell: str = "/bin/sh"
    ) -> None:
        self.folder = tmp_path / "seat"
        self.folder.mkdir()
        self._ends, told = os.pipe()
        start = f"import sys; sys.path[:0] = [{str(Path(ray_keeper.__file__).parent)!r}]\n"
        start += f"import ray_keeper; ray_keeper.main({str(self.folder)!r}, {told}, {grace_s})"
        with open(tmp_path / "printed", "wb") as printed:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", start],
                stdin=subprocess.PIPE,
                stdout=printed,
                pass_fds=[told],
                env={**os.environ, "RAY_AUTH_TOKEN": "secret"},
            )
        os.close(told)
        self._printed = tmp_path / "printed"
        self.say(json.dumps([shell, "-c", script]))
        # What Ray would kill has ended by itself.
        assert self._process.wait() == 0

    def say(self, line: str) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(line.encode() + b"\n")
        stdin.flush()

    def leave(self) -> None:
        """As an actor that is killed."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def printed(self, text: str) -> None:
        """Waits for it."""
        while text not in self._printed.read_text():
            time.sleep(0.01)

    def end(self) -> dict[str, str]:
        """Waits for the end of the keeper."""
        with open(self._ends, "rb") as told:
            return json.loads(told.read())


def test_a_worker_that_ends_leaves_its_end_its_last_lines_and_nothing_else(tmp_path):
    kept = Kept(tmp_path, "env; seq 30; sleep 600 & echo $! >&2; exit 3")
    end = kept.end()
    kept.leave()
    assert end["reason"] == "it ended with exit code 3"
    *numbers, child = end["log_tail"].splitlines()
    assert numbers == [str(number) for number in range(31 - len(numbers), 31)]
    assert len(numbers) == 19
    await_end(int(child))
    assert not kept.folder.exists()
    printed = (tmp_path / "printed").read_text()
    assert "PYTHONUNBUFFERED=1" in printed
    assert "RAY_" not in printed, "a token of the cluster is not the worker's"


def test_a_worker_may_end_in_order_also_when_its_actor_is_gone(tmp_path):
    script = "trap 'echo checkpoint; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    for name, act in (("a", lambda kept: kept.say("stop")), ("b", Kept.leave)):
        (tmp_path / name).mkdir()
        kept = Kept(tmp_path / name, script)
        kept.printed("ready")
        act(kept)
        end = kept.end()
        assert end["reason"] == "it ended with exit code 0"
        assert end["log_tail"].splitlines()[-1] == "checkpoint"


@pytest.mark.parametrize("act", [lambda kept: kept.say("kill"), Kept.leave])
def test_what_does_not_end_in_order_is_killed_with_all_that_it_started(tmp_path, act):
    kept = Kept(tmp_path, "trap '' TERM; sleep 600 & echo $!; echo ready; wait; wait", grace_s=0.1)
    kept.printed("ready")
    child = int((tmp_path / "printed").read_text().split()[0])
    act(kept)
    assert kept.end()["reason"] == "it was killed by SIGKILL"
    await_end(child)


def test_a_command_that_does_not_exist_says_so(tmp_path):
    missing = tmp_path / "no" / "python"
    kept = Kept(tmp_path, "", shell=str(missing))
    assert re.search(f"could not be started: .*{missing}", kept.end()["reason"])
    assert not kept.folder.exists()


def await_end(pid: int) -> None:
    """Of a process that was killed; whoever inherits it may not have asked for it yet."""
    with contextlib.suppress(FileNotFoundError):
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
            time.sleep(0.01)
