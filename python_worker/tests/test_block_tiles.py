"""The attention and the activation of blocks in tiles: any size gives the same meta-gradient."""

import sys
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from bench._small_problem import problem
from stillhouse_worker.distillation.losses import HiddenTerm
from stillhouse_worker.distillation.meta_gradient import block_tiles, blockwise, unrolled
from stillhouse_worker.distillation.meta_gradient.block_tiles import in_tiles
from stillhouse_worker.distillation.meta_gradient.walk import Keep, Plan
from stillhouse_worker.learners.encoder import Encoder


class Found(NamedTuple):
    """What a function of rows gives."""

    doubled: Tensor
    summed: Tensor | None
    missing: Tensor | None


class Pair(NamedTuple):
    """Two arguments in one."""

    left: Tensor
    right: Tensor | None


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8])
def test_tiles_of_any_length_are_joined(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    seen: list[int] = []

    def function(pair: Pair, weights: Tensor, absent: Tensor | None) -> Found:
        assert pair.right is None
        assert absent is None
        seen.append(len(weights))
        return Found(pair.left * 2, (pair.left * weights[:, None]).sum(1), None)

    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(block_tiles, "TILE_BYTES", length * 3 * 8 // 2)
    left, weights = torch.arange(21.0).double().view(7, 3), torch.arange(7.0).double()
    found = in_tiles(function, 3, Pair(left, None), weights, None)
    assert torch.equal(found.doubled, left * 2)
    assert torch.equal(found.summed, left.sum(1) * weights)
    assert found.missing is None
    assert seen == [length] * (7 // length) + [7 % length] * (7 % length > 0)


CASES = {
    "none": {"attention": "none"},
    "cls": {"attention": "cls"},
    "all": {"attention": "all", "num_steps": 3, "accumulate": True},
    "all-mse": {"attention": "all", "attention_loss": "mse"},
    "all-mul": {"attention": "all", "attention_loss": "mul"},
    "cls-mul": {"attention": "cls", "attention_loss": "mul"},
    "dropout": {"attention": "all", "dropout": 0.3},
    "dropout-cls": {"attention": "cls", "dropout": 0.3, "num_steps": 3},
    "hidden": {
        "attention": "cls",
        "hidden": HiddenTerm("mse", "all", 2),
        "learns_hidden_weight": True,
    },
}


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("given", CASES.values(), ids=CASES)
def test_blocks_in_tiles_equal_the_unrolled_gradient(
    tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch, given: dict, heads: int, pooling: str
) -> None:
    encoder = tiny_encoder._replace(config=tiny_encoder.config._replace(pooling=pooling))
    case, phi, theta = problem(encoder, **{"num_steps": 2, "learn_lr": "per_step", **given})
    assert len(phi["x"]) * encoder.config.num_heads == 6, "the last tile is to be smaller"
    monkeypatch.setattr(block_tiles, "_tile_length", lambda example, numel: heads)
    found, exact = (method(case, phi, theta) for method in (blockwise, unrolled))
    torch.testing.assert_close(found.inner_losses, exact.inner_losses, rtol=1e-12, atol=0)
    for name, expected in exact.grads.items():
        gap = (found.grads[name] - expected).norm()
        assert gap <= 1e-12 * expected.norm(), (name, gap)
    for keep in ("nothing", "narrow", "wide"):
        monkeypatch.setattr(sys.modules[blockwise.__module__], "_plan", _always(keep))
        again = blockwise(case._replace(activation_bytes=0), phi, theta).grads
        for name, tensor in found.grads.items():
            assert torch.equal(again[name], tensor), (keep, name)


def _always(keep: Keep) -> Plan:
    return lambda problem, data, theta, num_steps: [keep] * num_steps
