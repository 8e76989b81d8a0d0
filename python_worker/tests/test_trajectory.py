"""Which copies of theta are kept, and that the others are recomputed to the same values."""

import pytest
import torch

from stillhouse_worker.distillation.meta_gradient import trajectory as module
from stillhouse_worker.distillation.meta_gradient.trajectory import Trajectory, spacing
from stillhouse_worker.learners.interface import Params


@pytest.mark.parametrize(
    ("num_steps", "max_copies", "expected"),
    [
        (10, 10, 1),  # all fit
        (10, 9, 2),  # 5 + 1 copies
        (50, 14, 5),  # 10 + 4 copies
        (50, 1, 5),  # nothing fits: 14 copies are the least
        (1, 0, 1),
    ],
)
def test_spacing_is_the_smallest_that_fits_or_the_one_that_needs_least(
    num_steps: int, max_copies: int, expected: int
) -> None:
    assert spacing(num_steps, max_copies) == expected


@pytest.mark.parametrize("on_host", [0, 1, 3])
@pytest.mark.parametrize("on_device", [1, 4, 6, 10])
def test_every_theta_is_recovered_within_the_allowed_number_of_copies(
    on_device: int, on_host: int
) -> None:
    num_steps, max_copies = 10, on_device + on_host
    theta = {"weight": torch.zeros(4)}
    trajectory = Trajectory(num_steps, theta, on_device * 16, on_host * 16)
    for index in range(num_steps):
        trajectory.put(index, {"weight": theta["weight"] + index})
    retrained = []

    def retrain(start: dict[str, torch.Tensor], step: int) -> dict[str, torch.Tensor]:
        assert start["weight"][0] == step
        retrained.append(step)
        return {"weight": start["weight"] + 1}

    most = len(trajectory)
    for index in reversed(range(num_steps)):
        assert trajectory.take(index, retrain)["weight"][0] == index
        most = max(most, len(trajectory) + 1)
    assert most <= max(max_copies, 6)  # 6: the least that ten steps need
    assert len(retrained) < num_steps
    assert len(set(retrained)) == len(retrained), "each is trained again once"
    assert all(step < trajectory.whole_from for step in retrained)


@pytest.mark.parametrize(("on_device", "on_host", "expected"), [(7, 3, 3), (9, 5, 1), (10, 5, 0)])
def test_the_earliest_copies_go_to_the_host_where_the_device_has_no_room(
    monkeypatch: pytest.MonkeyPatch, on_device: int, on_host: int, expected: int
) -> None:
    moved = []

    def note(theta: Params) -> Params:
        moved.append(int(theta["weight"][0]))
        return {name: tensor.clone() for name, tensor in theta.items()}

    monkeypatch.setattr(module, "_to_host", note)
    theta = {"weight": torch.zeros(4)}
    trajectory = Trajectory(10, theta, on_device * 16, on_host * 16)
    for index in range(10):
        trajectory.put(index, {"weight": torch.full((4,), float(index))})
    assert moved == list(range(expected))


def test_a_copy_on_the_host_is_a_copy() -> None:
    theta = {"weight": torch.arange(4.0)}
    copy = module._to_host(theta)
    theta["weight"].zero_()
    assert copy["weight"].tolist() == [0, 1, 2, 3]


@pytest.mark.cuda
def test_copies_of_a_gpu_go_to_pinned_memory_and_come_back_the_same() -> None:
    theta = {"weight": torch.randn(1000, 1000, device="cuda")}
    assert module._to_host(theta)["weight"].is_pinned()
    num_bytes = theta["weight"].numel() * 4
    trajectory = Trajectory(4, theta, num_bytes, 3 * num_bytes)
    for index in range(4):
        trajectory.put(index, {"weight": theta["weight"] + index})
    for index in reversed(range(4)):
        found = trajectory.take(index, lambda start, step: pytest.fail("nothing is trained again"))
        assert torch.equal(found["weight"], theta["weight"] + index)
