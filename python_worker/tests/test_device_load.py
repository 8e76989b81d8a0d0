"""The load of devices."""

import time
from pathlib import Path

import psutil
import pytest
import torch

from stillhouse_worker.devices import load as device_load
from stillhouse_worker.devices.load import UNKNOWN, load_meter

STAT = """cpu  0 0 0 0 0 0 0 0 0 0
cpu0 {busy} 0 0 {idle} 5 0 0 0 0 0
cpu1 999 0 0 0 0 0 0 0 0 0
intr 1
"""


MEMINFO = "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\n" + "".join(
    f"{name}: 0 kB\n" for name in ("Buffers", "Cached", "Shmem", "Active", "Inactive")
)


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "self").mkdir()
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    monkeypatch.setattr(device_load, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(device_load.os, "sched_getaffinity", lambda _: {0}, raising=False)
    (tmp_path / "stat").write_text(STAT.format(busy=100, idle=100))
    (tmp_path / "meminfo").write_text(MEMINFO)
    return tmp_path


def test_cpu_utilisation_covers_the_time_since_the_last_call(proc: Path) -> None:
    meter = load_meter("cpu")
    (proc / "stat").write_text(STAT.format(busy=130, idle=110))
    load = meter()
    assert load.utilisation == pytest.approx(0.75)
    assert (load.memory_total_bytes, load.memory_used_bytes) == (1000 * 1024, 600 * 1024)
    assert meter().utilisation == 0.0  # no time has passed


def test_the_limit_of_a_container_counts_where_it_is_less_than_the_host_has(proc: Path) -> None:
    (proc / "self" / "cgroup").write_text("0::/pod\n")
    group = proc / "cgroup" / "pod"
    group.mkdir(parents=True)
    (group / "memory.current").write_text("50000\n")
    (group / "memory.stat").write_text("anon 1\ninactive_file 20000\n")
    (group / "memory.max").write_text("80000\n")
    assert load_meter("cpu")()[:2] == (80000, 30000)
    (group / "memory.max").write_text("max\n")
    assert load_meter("cpu")()[:2] == (1000 * 1024, 600 * 1024)


def test_nothing_is_known_without_proc(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(proc / "none"))
    assert load_meter("cpu")() == UNKNOWN


def test_this_machine_has_memory_in_use_and_shows_work() -> None:
    if not Path("/proc/stat").exists():
        pytest.skip("no /proc on this system")
    meter = load_meter("cpu")
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        pass
    load = meter()
    assert 0 < load.memory_used_bytes < load.memory_total_bytes
    assert 0 < load.utilisation <= 1


def test_a_gpu_without_a_driver_is_unknown() -> None:
    if torch.cuda.is_available():
        pytest.skip("CUDA is here")
    assert load_meter("cuda:0")() == UNKNOWN


@pytest.mark.cuda
def test_a_gpu_reports_its_memory_and_utilisation() -> None:
    meter = load_meter("cuda:0")
    idle = meter()
    held = torch.zeros(256 << 20, dtype=torch.uint8, device="cuda:0")
    until = time.monotonic() + 2
    while time.monotonic() < until:
        held.float().sum().item()
    load = meter()
    assert load.memory_total_bytes == torch.cuda.get_device_properties(0).total_memory
    assert load.memory_used_bytes >= idle.memory_used_bytes + (200 << 20)
    assert 0 < load.utilisation <= 1
