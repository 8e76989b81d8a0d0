"""Our optimisers against PyTorch's, to the bit."""

import pytest
import torch

from stillhouse_worker.distillation.scaled_optimiser import OptimiserConfig, ScaledOptimiser


def leaves() -> dict[str, torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    shapes = {"matrix": (17, 33), "vector": (5,), "number": (), "still": (3,)}
    return {
        name: torch.randn(shape, generator=draws).requires_grad_() for name, shape in shapes.items()
    }


def give_gradients(tensors: dict[str, torch.Tensor], step: int) -> None:
    draws = torch.Generator().manual_seed(step)
    for name, tensor in tensors.items():
        gradient = torch.randn(tensor.shape, generator=draws) * 10.0 ** (step % 5 - 3)
        # One tensor gets gradients only later, so that tensors differ in their number of steps.
        tensor.grad = None if name == "still" and step < 7 else gradient


OPTIMISERS = [
    (OptimiserConfig(), torch.optim.Adam, {}),
    (OptimiserConfig(betas=(0.5, 0.99)), torch.optim.Adam, {"betas": (0.5, 0.99)}),
    (OptimiserConfig("adamw", weight_decay=0.1), torch.optim.AdamW, {"weight_decay": 0.1}),
    (OptimiserConfig("sgd"), torch.optim.SGD, {}),
    (OptimiserConfig("sgd", momentum=0.9), torch.optim.SGD, {"momentum": 0.9}),
]
IDS = ["adam", "adam-betas", "adamw", "sgd", "momentum"]


@pytest.mark.parametrize(("config", "kind", "settings"), OPTIMISERS, ids=IDS)
def test_every_step_equals_that_of_torch_to_the_bit(config, kind, settings) -> None:
    ours, theirs = leaves(), leaves()
    groups = [{"params": [tensor], "lr": 0.0} for tensor in theirs.values()]
    optimiser, reference = config.over(list(ours.values())), kind(groups, lr=0.01, **settings)
    for step in range(30):
        lrs = [0.01 * (step + 1) * (1 + index) for index in range(len(ours))]
        give_gradients(ours, step)
        give_gradients(theirs, step)
        optimiser.step(lrs)
        for group, lr in zip(reference.param_groups, lrs, strict=True):
            group["lr"] = lr
        reference.step()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), step
    for state, tensor in zip(optimiser.state, theirs.values(), strict=True):
        kept = {key: value for key, value in reference.state[tensor].items() if value is not None}
        assert state.keys() == kept.keys()
        assert all(torch.equal(state[key], kept[key]) for key in state)


def test_each_tensor_decays_as_its_parameter_group_of_torch() -> None:
    decays, ours, theirs = [0.1, 0.0, 0.3, 0.2], leaves(), leaves()
    optimiser = OptimiserConfig("adamw", weight_decay=decays).over(list(ours.values()))
    groups = [
        {"params": [tensor], "weight_decay": decay}
        for tensor, decay in zip(theirs.values(), decays, strict=True)
    ]
    reference = torch.optim.AdamW(groups, lr=0.01)
    for step in range(10):
        give_gradients(ours, step)
        give_gradients(theirs, step)
        optimiser.step(0.01)
        reference.step()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_one_rate_is_that_of_every_tensor() -> None:
    for config, _, _ in OPTIMISERS:
        one, each = leaves(), leaves()
        for tensors, lr in ((one, 0.1), (each, [0.1] * len(each))):
            give_gradients(tensors, 0)
            config.over(list(tensors.values())).step(lr)
        assert all(torch.equal(one[name], each[name]) for name in one)


@pytest.mark.parametrize("config", [config for config, _, _ in OPTIMISERS], ids=IDS)
def test_a_restored_state_continues_to_the_same_bits(config: OptimiserConfig) -> None:
    cpu = torch.device("cpu")
    through, parts = leaves(), leaves()
    whole, first = (ScaledOptimiser(tensors, cpu, "fp16", config) for tensors in (through, parts))
    for step in range(10):
        for tensors, optimiser in ((through, whole), (parts, first)):
            give_gradients(tensors, step)
            optimiser.scaler.scale(torch.zeros(()))
            optimiser.update(0.01)
    resumed = ScaledOptimiser(parts, cpu, "fp16", config)
    resumed.restore({name: tensor.clone() for name, tensor in first.state().items()})
    for step in range(10, 20):
        for tensors, optimiser in ((through, whole), (parts, resumed)):
            give_gradients(tensors, step)
            optimiser.scaler.scale(torch.zeros(()))
            optimiser.update(0.01)
    assert all(torch.equal(through[name], parts[name]) for name in through)


def test_a_scaler_skips_a_step_that_overflowed() -> None:
    tensors = leaves()
    before = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    adam = ScaledOptimiser(tensors, torch.device("cpu"), "fp16")
    adam.scaler.scale(torch.zeros(()))
    scale = adam.scaler.get_scale()
    give_gradients(tensors, 0)
    tensors["vector"].grad = torch.full((5,), torch.inf)
    adam.update(0.01)
    assert all(torch.equal(tensors[name], before[name]) for name in before)
    assert adam.scaler.get_scale() == scale / 2
