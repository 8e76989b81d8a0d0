"""The meta-gradient against finite differences, and the methods against each other."""

import dataclasses
import functools
import gc
import itertools
import json
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.utils._pytree import tree_leaves

from bench._small_problem import (
    ALL,
    ATTENTION,
    PAIRS,
    Combination,
    distance_of,
    most_noise,
    problem,
    rounding_noise,
)
from stillhouse_worker.distillation.inner import inner_loss, leaves, sgd
from stillhouse_worker.distillation.meta_gradient import (
    METHODS,
    MetaGradient,
    MetaProblem,
    Window,
    blockwise,
    stepwise,
    unrolled,
)
from stillhouse_worker.distillation.synthetic import (
    AttentionKind,
    Phi,
    SyntheticConfig,
    init_phi,
    materialise,
)
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.learners import AttentionSizes, Encoder, Output
from stillhouse_worker.learners.encoder_config import POOLINGS, Pooling
from stillhouse_worker.learners.interface import Params


@pytest.fixture(scope="session")
def mean_encoder(tiny_encoder: Encoder) -> Encoder:
    """The same encoder, but the head gets the mean over the tokens."""
    return tiny_encoder._replace(config=tiny_encoder.config._replace(pooling="mean"))


def outer_loss_at(case: MetaProblem, phi: Phi, theta: Params, former: Phi) -> float:
    """The outer loss by plain training, with no meta-gradient code involved.

    The steps before the window are those of ``former``.
    """
    present, before = (
        case.materialise(values).map(torch.Tensor.detach) for values in (phi, former)
    )
    first, end = case.window or (0, len(present.lrs))
    size, total = len(present.x) // present.num_blocks, 0.0
    for index in range(end):
        data = before if index < first else present
        block = torch.arange(size) + index % data.num_blocks * size
        theta = leaves(theta)
        loss = case.inner_loss.of_step(index)(data.rows(block), theta)
        grads = torch.autograd.grad(loss, list(theta.values()))
        with torch.no_grad():
            theta = sgd(theta, grads, data.lrs[index], data.encoder_lr_scale)
        if (case.accumulate_loss and index >= first) or index == end - 1:
            total += case.outer_loss(theta).item()
    return total


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
    tiny_encoder: Encoder, labels, attention, num_steps, learn_lr, accumulate
) -> None:
    assert_slopes(
        METHODS, *problem(tiny_encoder, labels, attention, num_steps, learn_lr, accumulate)
    )


@pytest.mark.parametrize(
    "given",
    [
        {"num_steps": 3, "learn_lr": "per_step", "accumulate": True, "blocks": 2},
        {"num_steps": 2, "learn_lr": "shared", "rate_form": "softplus", "labels": "restricted"},
        {"num_steps": 4, "learn_lr": "per_step", "blocks": 2, "window": Window(1, 3)},
        {"num_steps": 4, "learn_lr": "shared", "accumulate": True, "window": Window(2, 4)},
        {"num_steps": 3, "learn_lr": "shared", "accumulate": True, "encoder_lr_scale": 0.4},
        {"num_steps": 2, "learn_lr": "none", "attention": "all", "encoder_lr_scale": 1.7},
    ],
    ids=["blocks", "softplus", "window-of-blocks", "window-of-losses", "two-rates", "given-rates"],
)
def test_in_blocks_and_windows_it_is_the_slope_too(tiny_encoder: Encoder, given: dict) -> None:
    """Of a window, the slope where the steps before it are held constant."""
    assert_slopes(METHODS, *problem(tiny_encoder, **given))


def test_with_mean_pooling_it_is_the_slope_too(mean_encoder: Encoder) -> None:
    assert_slopes(METHODS, *problem(mean_encoder, "unrestricted", "cls", 2, "per_step", True))


def assert_slopes(
    methods: Iterable[str],
    case: MetaProblem,
    phi: Phi,
    theta: Params,
    *,
    size: float = 1e-5,
    tolerance: float = 1e-5,
) -> dict[str, dict[str, torch.Tensor]]:
    """Central differences of the outer loss along a random direction in each tensor of phi.

    They are taken once for all methods, each of which must give them. Returns the gradients of
    each method.
    """
    found = {method: METHODS[method](case, phi, theta).grads for method in methods}
    draws = torch.Generator().manual_seed(1)
    for name, tensor in phi.items():
        direction = torch.randn(tensor.shape, generator=draws, dtype=torch.float64)
        step = size / direction.norm().clamp(min=1e-9)
        ends = [
            outer_loss_at(
                case, {**phi, name: (tensor + sign * step * direction).detach()}, theta, phi
            )
            for sign in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / (2 * step.item())
        for method, grads in found.items():
            assert (grads[name] * direction).sum().item() == pytest.approx(
                slope, rel=tolerance, abs=1e-4 * tolerance
            ), (method, name)
    return found


CHOICES = [
    pytest.param(PAIRS, id="pairs"),
    pytest.param(ALL, id="all", marks=pytest.mark.long),
]
METHODS_BUT_ORACLE = [name for name in METHODS if name != "unrolled"]


@pytest.fixture(scope="module")
def exact(tiny_encoder: Encoder) -> Callable:
    """The oracle's gradient of a combination in float64, computed once."""
    return functools.cache(lambda each: unrolled(*problem(tiny_encoder, *each)))


def test_the_pairs_are_those_of_all_combinations() -> None:
    for one, other in itertools.combinations(range(len(Combination._fields)), 2):
        pairs = [{(each[one], each[other]) for each in chosen} for chosen in (PAIRS, ALL)]
        assert pairs[0] == pairs[1], (Combination._fields[one], Combination._fields[other])


@pytest.mark.parametrize("method", METHODS_BUT_ORACLE)
@pytest.mark.parametrize("combinations", CHOICES)
def test_methods_equal_the_unrolled_gradient_to_twelve_digits(
    tiny_encoder: Encoder, exact: Callable, method: str, combinations: list[Combination]
) -> None:
    for each in combinations:
        _assert_equal(METHODS[method](*problem(tiny_encoder, *each)), exact(each), each)


@pytest.mark.parametrize("method", METHODS_BUT_ORACLE)
@pytest.mark.parametrize("attention", ATTENTION)
def test_with_mean_pooling_methods_equal_the_unrolled_gradient(
    mean_encoder: Encoder, method: str, attention: AttentionKind
) -> None:
    each = Combination("unrestricted", attention, 3, "per_step", True)
    oracle = unrolled(*problem(mean_encoder, *each))
    _assert_equal(METHODS[method](*problem(mean_encoder, *each)), oracle, each)


def _assert_equal(other: MetaGradient, oracle: MetaGradient, each: Combination) -> None:
    """Assert equality to twelve digits."""
    torch.testing.assert_close(other.outer_loss, oracle.outer_loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(other.inner_losses, oracle.inner_losses, rtol=1e-12, atol=0)
    for name, expected in oracle.grads.items():
        gap = (other.grads[name] - expected).norm().item()
        # The decay of a single step has no influence: zero on both sides.
        assert gap <= 1e-12 * expected.norm().item(), (each, name, gap)


@pytest.mark.parametrize("method", METHODS_BUT_ORACLE)
def test_a_trajectory_that_does_not_fit_changes_no_bit(tiny_encoder: Encoder, method: str) -> None:
    case, phi, theta = problem(tiny_encoder, num_steps=7, learn_lr="per_step", accumulate=True)
    kept = METHODS[method](case, phi, theta)
    size = sum(p.numel() * p.element_size() for p in theta.values())
    for on_device, on_host in [(0, 0), (2 * size, 5 * size), (2 * size, 3 * size)]:
        tight = case._replace(trajectory_bytes=on_device, host_bytes=on_host)
        again = METHODS[method](tight, phi, theta)
        for name, expected in kept.grads.items():
            assert torch.equal(again.grads[name], expected), (name, on_device, on_host)


@pytest.mark.parametrize("method", METHODS_BUT_ORACLE)
def test_in_a_window_too_what_is_not_kept_is_computed_again(
    tiny_encoder: Encoder, method: str
) -> None:
    given = {"num_steps": 7, "learn_lr": "per_step", "blocks": 2, "window": Window(1, 6)}
    case, phi, theta = problem(tiny_encoder, **given)
    kept = METHODS[method](case, phi, theta)
    tight = case._replace(trajectory_bytes=0, activation_bytes=0)
    again = METHODS[method](tight, phi, theta)
    _assert_equal(
        kept, unrolled(case, phi, theta), Combination("unrestricted", "cls", 7, "per_step", False)
    )
    for name, expected in kept.grads.items():
        assert torch.equal(again.grads[name], expected), name


def test_recomputed_values_change_no_bit(tiny_encoder: Encoder) -> None:
    case, phi, theta = problem(tiny_encoder, attention="all", num_steps=2, learn_lr="per_step")
    expected, num_runs, step_bytes = _counted(case, phi, theta)
    # All values of one step and some of the other; some of both; few of one; none.
    for room in (1.5, 0.9, 0.3, 0.0):
        tight = case._replace(activation_bytes=int(room * step_bytes))
        grads, num_more, _ = _counted(tight, phi, theta)
        assert num_more > num_runs, room
        num_runs = num_more
        for name, tensor in expected.items():
            assert torch.equal(grads[name], tensor), (name, room)


def _counted(case: MetaProblem, phi: Phi, theta: Params) -> tuple[dict, int, int]:
    """The gradients, how often a block is run forward, and the bytes of one step's values."""
    module = sys.modules[blockwise.__module__]
    functions = module.block_functions(False)
    forwards, backwards = [], []

    def forward(*args):
        forwards.append(functions.run_forward(*args))
        return forwards[-1]

    def backward(*args):
        backwards.append(functions.run_backward(*args))
        return backwards[-1]

    counting = functions._replace(run_forward=forward, run_backward=backward)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "block_functions", lambda compiled: counting)
        grads = blockwise(case, phi, theta).grads
    num_blocks = case.inner_loss.config.num_layers
    values = [
        [each.trace for each in forwards[:num_blocks]],
        [each.cotangents for each in backwards[:num_blocks]],
    ]
    tensors = [tensor for tensor in tree_leaves(values) if tensor is not None]
    return grads, len(forwards), sum(t.numel() * t.element_size() for t in tensors)


@pytest.mark.parametrize("attention", ["none", "cls", "all"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_memory_of_a_step_is_predicted(
    request: pytest.FixtureRequest, pooling: Pooling, attention: AttentionKind
) -> None:
    encoder = request.getfixturevalue("mean_encoder" if pooling == "mean" else "tiny_encoder")
    dropout = 0.1 if attention == "cls" else 0.0
    case, phi, theta = problem(encoder, attention=attention, dropout=dropout)
    module = sys.modules[blockwise.__module__]
    data = case.materialise(phi)
    _, _, step_bytes = _counted(case, phi, theta)
    for share, kept in ((0.95, "wide"), (1.05, "all")):
        room = case._replace(activation_bytes=int(share * step_bytes))
        assert module._plan(room, data, theta, 1) == [kept]


def test_the_last_steps_keep_most(tiny_encoder: Encoder) -> None:
    case, phi, theta = problem(tiny_encoder, num_steps=4)
    module = sys.modules[blockwise.__module__]
    data = case.materialise(phi)
    step = module._Step(case, data, theta)
    levels = ("narrow", "wide", "all")
    narrow, wide, everything = (step.kept_numel(keep) * 8 for keep in levels)
    for room, expected in (
        (2 * narrow, ["nothing", "nothing", "narrow", "narrow"]),
        (3 * narrow + wide, ["narrow", "narrow", "narrow", "wide"]),
        (3 * wide + everything, ["wide", "wide", "wide", "all"]),
        (4 * everything, ["all"] * 4),
    ):
        assert module._plan(case._replace(activation_bytes=room), data, theta, 4) == expected


def test_stepwise_keeps_as_many_graphs_as_there_is_memory_for(
    tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, phi, theta = problem(tiny_encoder, num_steps=5, learn_lr="per_step")
    module = sys.modules[stepwise.__module__]
    data = case.materialise(phi)
    graph = module._graph_bytes(case, data, theta)
    for room, num_kept in ((0, 1), (2.5 * graph, 2), (4 * graph, 4), (99 * graph, 5)):
        plan = module._plan(case._replace(activation_bytes=int(room)), data, theta, 5)
        assert plan == ["nothing"] * (5 - num_kept) + ["all"] * num_kept
    made: list[object] = []
    own = module._Step.make_graph
    monkeypatch.setattr(module._Step, "make_graph", lambda step: made.append(step) or own(step))
    grads = []
    for room in (0, 2.5 * graph, 99 * graph):
        made.clear()
        grads.append(stepwise(case._replace(activation_bytes=int(room)), phi, theta).grads)
        # One for each step, and one that shows its size.
        assert len(made) == 5 + 1
    for name, tensor in grads[0].items():
        assert all(torch.equal(other[name], tensor) for other in grads), name


def test_the_size_of_a_graph_is_that_of_what_it_keeps(tiny_encoder: Encoder) -> None:
    """Half the samples have a graph of about half the size."""
    module = sys.modules[stepwise.__module__]
    sizes = []
    for attention in ("none", "all"):
        case, phi, theta = problem(tiny_encoder, attention=attention, blocks=2)
        data = case.materialise(phi)
        whole, half = (
            module._graph_bytes(case, part, theta)
            for part in (data.rows(slice(None)), data.of_step(0))
        )
        assert 1.5 < whole / half < 2.1
        sizes.append(half)
    activations = 3 * 4 * 16 * 8  # a value per sample, token and width
    assert sizes[1] > sizes[0] > 20 * activations


def _assert_as_exact_as_float32(distance: float, noise: float, num_steps: int) -> None:
    assert distance <= most_noise(num_steps) * noise


@pytest.fixture(scope="module")
def float32(tiny_encoder: Encoder, exact: Callable) -> Callable:
    """The rounding noise of a combination and the oracle's distance, computed once."""

    def measured(each: Combination) -> tuple[float, float]:
        expected = exact(each).grads
        oracle = unrolled(*problem(tiny_encoder, *each, dtype=torch.float32)).grads
        return rounding_noise(tiny_encoder, each, expected), distance_of(oracle, expected)

    return functools.cache(measured)


@pytest.mark.parametrize("method", METHODS_BUT_ORACLE)
@pytest.mark.parametrize("combinations", CHOICES)
def test_in_float32_a_method_is_as_exact_as_its_roundings_and_the_oracle(
    tiny_encoder: Encoder,
    exact: Callable,
    float32: Callable,
    method: str,
    combinations: list[Combination],
) -> None:
    """Each gradient is as near as roundings explain. For one gradient it is luck which of two methods
    is nearer, but in the geometric mean over all, no method is twice as far off as the oracle."""
    ratios = []
    for each in combinations:
        single = problem(tiny_encoder, *each, dtype=torch.float32)
        distance = distance_of(METHODS[method](*single).grads, exact(each).grads)
        noise, of_oracle = float32(each)
        _assert_as_exact_as_float32(distance, noise, each.num_steps)
        ratios.append(distance / of_oracle)
    assert torch.tensor(ratios).log().mean().exp() <= 2


def test_a_wrong_or_coarse_gradient_is_farther_off_than_float32_explains(
    tiny_encoder: Encoder, exact: Callable
) -> None:
    each = Combination("unrestricted", "cls", 10, "per_step", True)
    expected = exact(each).grads
    noise = rounding_noise(tiny_encoder, each, expected)
    case, phi, theta = problem(tiny_encoder, *each, dtype=torch.float32)
    coarse = case._replace(inner_loss=dataclasses.replace(case.inner_loss, precision="bf16"))
    first_loss_alone = case._replace(accumulate_loss=False)
    for wrong in (coarse, first_loss_alone):
        distance = distance_of(blockwise(wrong, phi, theta).grads, expected)
        with pytest.raises(AssertionError):
            _assert_as_exact_as_float32(distance, noise, each.num_steps)


@pytest.mark.parametrize(
    "backend", ["eager", pytest.param("inductor", marks=pytest.mark.long, id="inductor")]
)
def test_compiled_blocks_drop_no_tangent_at_any_learned_rate(
    tiny_model: Path, needs_program: Callable[[str], None], backend: str
) -> None:
    """Both backends compile the same trace; generating and building C++ takes a minute."""
    if backend == "inductor":
        needs_program("g++")
    script = Path(__file__).with_name("compiled_gradient.py")
    command = [sys.executable, str(script), str(tiny_model), backend]
    gaps = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert set(gaps) == {"x", "labels", "attention", "log_lr", "log_lr_decay"}
    assert max(gaps.values()) <= 1e-12


def test_a_step_loads_no_compiler(tiny_model: Path) -> None:
    """Loading one would take seconds in each process that distils."""
    program = """
import sys, torch
from bench._small_problem import problem
from stillhouse_worker.distillation.meta_gradient import blockwise
from stillhouse_worker.distillation.scaled_optimiser import ScaledOptimiser
from stillhouse_worker.models.opened import load_encoder
case, phi, theta = problem(load_encoder(sys.argv[1]), num_steps=2, learn_lr="per_step")
for name, gradient in blockwise(case, phi, theta).grads.items():
    phi[name].grad = gradient
ScaledOptimiser(phi, torch.device("cpu"), "fp32").update(0.1)
loaded = {"torch._dynamo", "sympy"} & set(sys.modules)
assert not loaded, loaded
"""
    folder = Path(__file__).parent
    subprocess.run([sys.executable, "-c", program, str(tiny_model)], cwd=folder, check=True)


@pytest.mark.parametrize("method", METHODS)
def test_bf16_inner_products_keep_the_direction(tiny_encoder: Encoder, method: str) -> None:
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


class _Linear:
    """A learner of one product, that no method knows: pixels in, logits out."""

    front = torch.nn.Identity()
    attention = AttentionSizes(0, 0)
    has_dropout = False

    def entry_shape(self, length: int) -> tuple[int, ...]:
        return (2, 3)

    def embed(self, *inputs: torch.Tensor) -> torch.Tensor:
        return inputs[0]

    def draw(self, num_classes: int, init: str, generator: torch.Generator) -> Params:
        return {"weight": torch.randn(num_classes, 6, generator=generator)}

    def forward(self, theta: Params, entry: torch.Tensor, mask=None, **options) -> Output:
        return Output(entry.flatten(1).tanh() @ theta["weight"].t())

    def to(self, device: torch.device) -> "_Linear":
        return self


def _pixel_problem(num_steps: int = 2) -> tuple[MetaProblem, Phi, Params]:
    learner, draws = _Linear(), torch.Generator().manual_seed(0)
    config = SyntheticConfig(3, 1, 1, "unrestricted", "none", num_steps, 0.5, 0.7, "per_step")
    x = torch.randn(3, *learner.entry_shape(1), generator=draws)
    phi = init_phi(config, *learner.attention, x, draws)
    phi = {name: p.detach().double().requires_grad_() for name, p in phi.items()}
    theta = {n: p.double() for n, p in learner.draw(3, "default", draws).items()}
    entry = torch.randn(4, 2, 3, generator=draws, dtype=torch.float64)
    targets = torch.tensor([0, 1, 2, 0])

    def outer_loss(params: Params) -> torch.Tensor:
        return F.cross_entropy(learner.forward(params, entry).logits, targets)

    loss = inner_loss(learner, 0.0, "keys")
    case = MetaProblem(lambda values: materialise(config, values), loss, [outer_loss], True)
    return case, phi, theta


def test_a_scalar_inner_loss_is_enough() -> None:
    assert_slopes(["stepwise", "unrolled"], *_pixel_problem())


@pytest.mark.parametrize("method", [stepwise, unrolled])
def test_nothing_of_an_outer_step_outlives_it(
    method: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, phi, theta = _pixel_problem(num_steps=4)
    seen: list[weakref.ref] = []
    learner = case.inner_loss.learner
    forward = learner.forward

    def noting(params: Params, *inputs: Any, **options: Any) -> Output:
        seen.extend(weakref.ref(tensor) for tensor in params.values())
        return forward(params, *inputs, **options)

    monkeypatch.setattr(learner, "forward", noting)
    method(case, phi, theta)
    gc.collect()
    assert len(seen) >= 4
    assert not [ref for ref in seen if ref() is not None and ref() is not theta["weight"]]


def test_blockwise_says_which_method_knows_other_learners() -> None:
    with pytest.raises(StillhouseError, match="use --meta-gradient stepwise") as caught:
        blockwise(*_pixel_problem())
    assert caught.value.field == "outer.meta_gradient"
