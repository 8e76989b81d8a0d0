"""Energy by the RAPL counters, in a folder laid out like the kernel's."""

from pathlib import Path

import pytest

from stillhouse_worker.devices.energy import EnergyMeter

RANGE = 1_000_000_000


def _count(powercap: Path, name: str, microjoules: int) -> None:
    folder = powercap / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{RANGE}\n")


def test_packages_are_summed_and_their_parts_are_not(tmp_path: Path) -> None:
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        _count(tmp_path, name, 5_000_000)
    meter = EnergyMeter("cpu", tmp_path)
    _count(tmp_path, "intel-rapl:0", 7_000_000)
    _count(tmp_path, "intel-rapl:1", 8_500_000)
    _count(tmp_path, "intel-rapl:0:0", 9_000_000)
    assert meter.joules() == pytest.approx(5.5)


def test_a_counter_that_wraps_around_keeps_counting(tmp_path: Path) -> None:
    _count(tmp_path, "intel-rapl:0", RANGE - 1_000_000)
    meter = EnergyMeter("cpu", tmp_path)
    _count(tmp_path, "intel-rapl:0", 2_000_000)
    assert meter.joules() == pytest.approx(3.0)


def test_a_machine_without_readable_counters_has_no_energy(tmp_path: Path) -> None:
    assert EnergyMeter("cpu", tmp_path / "none").joules() is None
    _count(tmp_path, "intel-rapl:0", 1)
    meter = EnergyMeter("cpu", tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("nonsense")
    assert meter.joules() is None


def test_a_gpu_without_a_counter_has_no_energy(tmp_path: Path) -> None:
    _count(tmp_path, "intel-rapl:0", 1)
    assert EnergyMeter("cuda:99", tmp_path).joules() is None
