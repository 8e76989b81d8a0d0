"""A machine and its devices are known by ids that no container changes."""

import socket
from types import SimpleNamespace

import pytest
import torch

from stillhouse_worker.devices import ids


def test_a_machine_has_the_id_of_its_kernel_whatever_the_host_is_called(
    tmp_path, monkeypatch
) -> None:
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("6f1f\n")
    monkeypatch.setattr(socket, "gethostname", lambda: "worker")
    assert ids.machine_id(boot_id) == "6f1f"
    boot_id.unlink()
    assert ids.machine_id(boot_id) == "worker"


def test_containers_with_a_limit_of_their_own_have_a_memory_of_their_own(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(ids, "num_cuda_devices", lambda: 0)
    found = []
    for name in ("a", "b", None):
        folder = None if name is None else tmp_path / name
        if folder is not None:
            folder.mkdir()
        monkeypatch.setattr(ids, "limiting_cgroup", lambda: folder)  # noqa: B023
        found.append(ids.device_ids()["cpu"])
    assert len(set(found)) == 3
    assert found[0].startswith(found[2])
    assert found[2] == f"cpu of {ids.machine_id()}"


@pytest.mark.parametrize("known", [True, False])
def test_a_gpu_has_its_uuid_under_whatever_name_it_is_seen(monkeypatch, known) -> None:
    monkeypatch.setattr(ids, "num_cuda_devices", lambda: 2)

    def properties(number: int) -> SimpleNamespace:
        return SimpleNamespace(uuid=f"uuid-{number}") if known else SimpleNamespace()

    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    gpus = {name: value for name, value in ids.device_ids().items() if name != "cpu"}
    assert gpus == ({"cuda:0": "GPU-uuid-0", "cuda:1": "GPU-uuid-1"} if known else {})
