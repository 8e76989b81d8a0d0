"""Our Adam against PyTorch's, to the bit."""

import torch

from stillhouse_worker.distillation.adam import Adam
from stillhouse_worker.distillation.scaled_adam import ScaledAdam


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


def test_every_step_equals_that_of_torch_to_the_bit() -> None:
    ours, theirs = leaves(), leaves()
    adam, reference = Adam(list(ours.values())), torch.optim.Adam(list(theirs.values()))
    for step in range(30):
        lr = 0.01 * (step + 1)
        give_gradients(ours, step)
        give_gradients(theirs, step)
        adam.step(lr)
        reference.param_groups[0]["lr"] = lr
        reference.step()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), step
    for state, tensor in zip(adam.state, theirs.values(), strict=True):
        assert state.keys() == reference.state[tensor].keys()
        assert all(torch.equal(state[key], reference.state[tensor][key]) for key in state)


def test_a_restored_state_continues_to_the_same_bits() -> None:
    cpu = torch.device("cpu")
    through, parts = leaves(), leaves()
    whole, first = ScaledAdam(through, cpu, "fp16"), ScaledAdam(parts, cpu, "fp16")
    for step in range(10):
        for tensors, adam in ((through, whole), (parts, first)):
            give_gradients(tensors, step)
            adam.scaler.scale(torch.zeros(()))
            adam.update(0.01)
    resumed = ScaledAdam(parts, cpu, "fp16")
    resumed.restore({name: tensor.clone() for name, tensor in first.state().items()})
    for step in range(10, 20):
        for tensors, adam in ((through, whole), (parts, resumed)):
            give_gradients(tensors, step)
            adam.scaler.scale(torch.zeros(()))
            adam.update(0.01)
    assert all(torch.equal(through[name], parts[name]) for name in through)


def test_a_scaler_skips_a_step_that_overflowed() -> None:
    tensors = leaves()
    before = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    adam = ScaledAdam(tensors, torch.device("cpu"), "fp16")
    adam.scaler.scale(torch.zeros(()))
    scale = adam.scaler.get_scale()
    give_gradients(tensors, 0)
    tensors["vector"].grad = torch.full((5,), torch.inf)
    adam.update(0.01)
    assert all(torch.equal(tensors[name], before[name]) for name in before)
    assert adam.scaler.get_scale() == scale / 2
