"""Which copies of theta are kept, and that those that are not come back the same."""

import pytest
import torch

from stillhouse_worker.distillation.meta_gradient.trajectory import Trajectory, spacing


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


@pytest.mark.parametrize("max_copies", [1, 4, 6, 10])
def test_every_theta_comes_back_and_no_more_copies_live_than_were_allowed(max_copies: int) -> None:
    num_steps = 10
    theta = {"weight": torch.zeros(4)}
    trajectory = Trajectory(num_steps, max_copies * 16)
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
