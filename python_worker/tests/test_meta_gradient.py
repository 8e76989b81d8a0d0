"""The meta-gradient against finite differences, and the methods against each other."""

import dataclasses
import functools
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.utils._pytree import tree_leaves

from stillhouse_worker.distillation.inner import InnerLoss, leaves, sgd
from stillhouse_worker.distillation.meta_gradient import METHODS, MetaProblem, blockwise, unrolled
from stillhouse_worker.distillation.synthetic import (
    AttentionLabels,
    Labels,
    LearnLr,
    Phi,
    SyntheticConfig,
    init_phi,
    materialise,
)
from stillhouse_worker.learners import Encoder, draw_head, forward, learner_params
from stillhouse_worker.learners.encoder import Params

NUM_CLASSES = 3


def problem(
    encoder: Encoder,
    labels: Labels = "unrestricted",
    attention: AttentionLabels = "cls",
    num_steps: int = 1,
    learn_lr: LearnLr = "none",
    accumulate: bool = False,
    dtype: torch.dtype = torch.float64,
) -> tuple[MetaProblem, Phi, Params]:
    """A small problem with padded pairs of texts, in float64 unless told otherwise."""
    draws = torch.Generator().manual_seed(5)
    config = SyntheticConfig(NUM_CLASSES, 1, 4, labels, attention, num_steps, 0.3, 0.7, learn_lr)
    x = torch.randn(NUM_CLASSES, 4, encoder.config.width, generator=draws)
    phi = init_phi(config, encoder.config.num_layers, encoder.config.num_heads, x, draws)
    phi = {name: p.detach().to(dtype).requires_grad_() for name, p in phi.items()}
    head = draw_head(encoder.config.width, NUM_CLASSES, "default", draws)
    theta = {name: p.to(dtype) for name, p in learner_params(encoder, head).items()}
    ids = torch.randint(5, 20, (5, 6), generator=draws)
    second = torch.arange(6) >= torch.tensor([3, 2, 4, 1, 2])[:, None]
    entry = encoder.embed(ids, second.long()).to(dtype)
    mask = torch.arange(6) < torch.tensor([6, 3, 5, 1, 4])[:, None]
    targets = torch.tensor([0, 1, 2, 0, 1])

    def outer_loss(rows: slice, params: Params) -> torch.Tensor:
        logits = forward(encoder.config, params, entry[rows], mask[rows]).logits
        return F.cross_entropy(logits, targets[rows], reduction="sum") / len(targets)

    return (
        MetaProblem(
            lambda values: materialise(config, values),
            InnerLoss(encoder.config, 0.7, "keys"),
            [functools.partial(outer_loss, rows) for rows in (slice(0, 3), slice(3, None))],
            accumulate,
        ),
        phi,
        theta,
    )


def outer_loss_at(case: MetaProblem, phi: Phi, theta: Params) -> float:
    """The outer loss by plain training, with no meta-gradient code involved."""
    data = case.materialise(phi).map(torch.Tensor.detach)
    total = 0.0
    for index, lr in enumerate(data.lrs):
        theta = leaves(theta)
        grads = torch.autograd.grad(case.inner_loss(data, theta), list(theta.values()))
        with torch.no_grad():
            theta = sgd(theta, grads, lr)
        if case.accumulate_loss or index == len(data.lrs) - 1:
            total += case.outer_loss(theta).item()
    return total


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
@pytest.mark.parametrize(
    ("labels", "attention", "num_steps", "learn_lr", "accumulate"),
    [
        ("hard", "none", 1, "none", False),
        ("restricted", "cls", 1, "shared", False),
        ("unrestricted", "all", 2, "per_step", True),
        ("unrestricted", "cls", 3, "shared", False),
    ],
)
def test_meta_gradient_is_the_slope_of_the_outer_loss(
    tiny_encoder: Encoder, method: Callable, labels, attention, num_steps, learn_lr, accumulate
) -> None:
    case, phi, theta = problem(tiny_encoder, labels, attention, num_steps, learn_lr, accumulate)
    grads = method(case, phi, theta).grads
    draws = torch.Generator().manual_seed(1)
    for name, tensor in phi.items():
        direction = torch.randn(tensor.shape, generator=draws, dtype=torch.float64)
        step = 1e-5 / direction.norm().clamp(min=1e-9)
        ends = [
            outer_loss_at(case, {**phi, name: (tensor + sign * step * direction).detach()}, theta)
            for sign in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / (2 * step.item())
        assert (grads[name] * direction).sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-9)


COMBINATIONS = list(
    itertools.product(
        ("hard", "restricted", "unrestricted"),
        ("none", "cls", "all"),
        (1, 2, 3, 10),
        ("none", "shared", "per_step"),
        (False, True),
    )
)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "unrolled"])
@pytest.mark.parametrize("num_steps", [1, 2, 3, 10])
def test_methods_equal_the_unrolled_gradient_to_twelve_digits(
    tiny_encoder: Encoder, method: str, num_steps: int
) -> None:
    for labels, attention, steps, learn_lr, accumulate in COMBINATIONS:
        if steps != num_steps or (accumulate and steps == 1):
            continue
        case, phi, theta = problem(tiny_encoder, labels, attention, steps, learn_lr, accumulate)
        oracle, other = unrolled(case, phi, theta), METHODS[method](case, phi, theta)
        torch.testing.assert_close(other.outer_loss, oracle.outer_loss, rtol=1e-12, atol=0)
        torch.testing.assert_close(other.inner_losses, oracle.inner_losses, rtol=1e-12, atol=0)
        for name, expected in oracle.grads.items():
            gap = (other.grads[name] - expected).norm().item()
            where = (labels, attention, learn_lr, accumulate, name, gap)
            # The decay of a single step has no influence: zero on both sides.
            assert gap <= 1e-12 * expected.norm().item(), where


@pytest.mark.parametrize("method", [m for m in METHODS if m != "unrolled"])
def test_a_trajectory_that_does_not_fit_changes_no_bit(tiny_encoder: Encoder, method: str) -> None:
    case, phi, theta = problem(tiny_encoder, num_steps=7, learn_lr="per_step", accumulate=True)
    kept = METHODS[method](case, phi, theta)
    size = sum(p.numel() * p.element_size() for p in theta.values())
    for on_device, on_host in [(0, 0), (2 * size, 5 * size), (2 * size, 3 * size)]:
        tight = case._replace(trajectory_bytes=on_device, host_bytes=on_host)
        again = METHODS[method](tight, phi, theta)
        for name, expected in kept.grads.items():
            assert torch.equal(again.grads[name], expected), (name, on_device, on_host)


def test_what_is_computed_again_changes_no_bit(tiny_encoder: Encoder) -> None:
    case, phi, theta = problem(tiny_encoder, attention="all", num_steps=2, learn_lr="per_step")
    expected, num_runs, step_bytes = _counted(case, phi, theta)
    # All values of one step and a few of the other; few of both; none.
    for room in (1.5, 0.6, 0.0):
        tight = case._replace(activation_bytes=int(room * step_bytes))
        grads, num_more, _ = _counted(tight, phi, theta)
        assert num_more > num_runs, room
        num_runs = num_more
        for name, tensor in expected.items():
            assert torch.equal(grads[name], tensor), (name, room)


def _counted(case: MetaProblem, phi: Phi, theta: Params) -> tuple[dict, int, int]:
    """The gradients, how often a block is run forward, and the bytes of one step's values."""
    module = sys.modules[blockwise.__module__]
    functions = module._block_functions(False)
    forwards, backwards = [], []

    def forward(*args):
        forwards.append(functions.run_forward(*args))
        return forwards[-1]

    def backward(*args):
        backwards.append(functions.run_backward(*args))
        return backwards[-1]

    counting = functions._replace(run_forward=forward, run_backward=backward)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_block_functions", lambda compiled: counting)
        grads = blockwise(case, phi, theta).grads
    num_blocks = case.inner_loss.config.num_layers
    values = [
        [each.trace for each in forwards[:num_blocks]],
        [each.cotangents for each in backwards[:num_blocks]],
    ]
    tensors = [tensor for tensor in tree_leaves(values) if tensor is not None]
    return grads, len(forwards), sum(t.numel() * t.element_size() for t in tensors)


@pytest.mark.parametrize("attention", ["none", "cls", "all"])
def test_the_memory_of_a_step_is_known_before_it_is_made(
    tiny_encoder: Encoder, attention: AttentionLabels
) -> None:
    case, phi, theta = problem(tiny_encoder, attention=attention)
    module = sys.modules[blockwise.__module__]
    data = case.materialise(phi)
    _, _, step_bytes = _counted(case, phi, theta)
    for share, kept in ((0.95, "narrow"), (1.05, "all")):
        room = case._replace(activation_bytes=int(share * step_bytes))
        assert module._plan(room, data, theta, 1) == [kept]


def test_the_last_steps_keep_most(tiny_encoder: Encoder) -> None:
    case, phi, theta = problem(tiny_encoder, num_steps=4)
    module = sys.modules[blockwise.__module__]
    data = case.materialise(phi)
    step = module._Step(case, data, theta)
    narrow, everything = (step.kept_numel(keep) * 8 for keep in ("narrow", "all"))
    for room, expected in (
        (2 * narrow, ["nothing", "nothing", "narrow", "narrow"]),
        (3 * narrow + everything, ["narrow", "narrow", "narrow", "all"]),
        (4 * everything, ["all"] * 4),
    ):
        assert module._plan(case._replace(activation_bytes=room), data, theta, 4) == expected


def _distance(grads: dict[str, torch.Tensor], exact: dict[str, torch.Tensor]) -> float:
    """Of the gradient as a whole: of a single rate it is luck which digit is the first wrong."""
    return (
        torch.stack([(grads[name].double() - exact[name]).norm() for name in exact]).norm().item()
    )


@pytest.mark.parametrize("method", [m for m in METHODS if m != "unrolled"])
@pytest.mark.parametrize("num_steps", [1, 2, 3, 10])
def test_in_float32_no_method_is_twice_as_far_from_float64_as_the_oracle(
    tiny_encoder: Encoder, method: str, num_steps: int
) -> None:
    for combination in COMBINATIONS:
        if combination[2] != num_steps:
            continue
        exact = unrolled(*problem(tiny_encoder, *combination)).grads
        single = problem(tiny_encoder, *combination, dtype=torch.float32)
        oracle = _distance(unrolled(*single).grads, exact)
        assert _distance(METHODS[method](*single).grads, exact) <= 2 * oracle, combination


def test_compiled_blocks_drop_no_tangent(
    tiny_model: Path, needs_program: Callable[[str], None]
) -> None:
    needs_program("g++")
    script = Path(__file__).with_name("compiled_gradient.py")
    command = [sys.executable, str(script), str(tiny_model)]
    gaps = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert set(gaps) == {"x", "labels", "attention", "log_lr", "log_lr_decay"}
    assert max(gaps.values()) <= 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_bf16_inner_products_leave_the_direction(tiny_encoder: Encoder, method: str) -> None:
    single = problem(tiny_encoder, num_steps=2, learn_lr="shared", dtype=torch.float32)
    case, phi, theta = single
    rounded = dataclasses.replace(case.inner_loss, precision="bf16")
    exact = METHODS[method](case, phi, theta).grads
    actual = METHODS[method](case._replace(inner_loss=rounded), phi, theta).grads
    for name in ("x", "labels", "attention"):
        assert not torch.equal(actual[name], exact[name]), "nothing was rounded"
        assert torch.cosine_similarity(actual[name].ravel(), exact[name].ravel(), dim=0) > 0.999


def test_phi_and_theta_are_left_as_they_were(tiny_encoder: Encoder) -> None:
    case, phi, theta = problem(tiny_encoder, num_steps=2)
    before = {name: tensor.detach().clone() for name, tensor in {**phi, **theta}.items()}
    for method in METHODS.values():
        method(case, phi, theta)
    for name, tensor in {**phi, **theta}.items():
        assert torch.equal(tensor.detach(), before[name])
    assert all(tensor.grad is None for tensor in phi.values())
