"""The outer loop: its schedule, its randomness, and what happens when numbers explode."""

import math
from typing import Any, NamedTuple

import pytest
import torch
from tasks_of import task_of

from stillhouse_worker.artifacts import load_artifact
from stillhouse_worker.context.reporting import Stopped
from stillhouse_worker.distillation.divergence import MAX_SKIPS
from stillhouse_worker.distillation.meta_gradient import METHODS, MetaGradient
from stillhouse_worker.distillation.outer import OuterLoop
from stillhouse_worker.distillation.scaled_optimiser import OptimiserConfig
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.tasks.distill import Distillation, distill


def _loop(settings, tmp_path, reporter):
    return Distillation(task_of(settings, reporter, tmp_path)).loop


def test_two_loops_with_one_seed_take_the_same_steps_to_the_bit(
    settings, tmp_path, reporter
) -> None:
    first, second = (_loop(settings, tmp_path, reporter) for _ in range(2))
    assert [first.advance() for _ in range(4)] == [second.advance() for _ in range(4)]
    assert all(torch.equal(first.phi[name], second.phi[name]) for name in first.phi)


def test_another_seed_takes_another_path(settings, tmp_path, reporter) -> None:
    other = settings._replace(seed=2)
    assert (
        _loop(settings, tmp_path, reporter).advance() != _loop(other, tmp_path, reporter).advance()
    )


OPTIMISERS = {
    "adam": OptimiserConfig(),
    "adamw": OptimiserConfig("adamw", weight_decay=0.1),
    "sgd": OptimiserConfig("sgd", momentum=0.9),
}


@pytest.mark.parametrize(
    ("optimiser", "precision"),
    [("adam", "fp32"), ("adamw", "fp16"), ("sgd", "fp32"), ("sgd", "fp16")],
)
def test_restored_state_continues_to_the_same_bits(
    settings, tmp_path, reporter, optimiser, precision
) -> None:
    chosen = OPTIMISERS[optimiser]
    outer = settings.outer._replace(optimiser=chosen, schedule="step", lr_decay_steps=2)
    settings = settings._replace(outer=outer, precision=precision)
    straight, broken = (_loop(settings, tmp_path, reporter) for _ in range(2))
    for _ in range(3):
        straight.advance()
        broken.advance()
    state = {name: tensor.clone() for name, tensor in broken.state().items()}
    resumed = _loop(settings, tmp_path, reporter)
    resumed.restore(state, 3)
    assert [straight.advance() for _ in range(3)] == [resumed.advance() for _ in range(3)]
    assert all(torch.equal(straight.phi[name], resumed.phi[name]) for name in straight.phi)


def test_several_inits_per_step_average_the_gradients_of_their_heads(
    settings, tmp_path, reporter
) -> None:
    def gradients(loop, init: int) -> dict[str, torch.Tensor]:
        parts = loop._losses(loop._rows())
        return loop._meta_gradient(parts, init, loop.problem.synthetic, loop.phi).grads

    three = settings._replace(outer=settings.outer._replace(inits_per_step=3, clip=1e9))
    loop = _loop(three, tmp_path, reporter)
    alone = [gradients(loop, init) for init in range(3)]
    assert not torch.equal(alone[0]["x"], alone[1]["x"])
    loop.advance()
    for name, tensor in loop.phi.items():
        mean = torch.stack([grads[name] for grads in alone]).mean(0)
        torch.testing.assert_close(tensor.grad, mean, rtol=1e-4, atol=1e-7)


def test_the_time_of_a_step_is_reported_by_phase(settings, tmp_path, reporter) -> None:
    loop = _loop(settings, tmp_path, reporter)
    loop.advance()
    seconds = loop.clock.read()
    assert set(seconds) == {"data", "inner", "outer", "walk"}
    assert all(value > 0 for value in seconds.values())
    assert loop.clock.read() == {}


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_takes_nearly_the_same_first_step(
    settings, tmp_path, reporter, precision
) -> None:
    mixed = settings._replace(precision=precision)
    exact, rounded = _loop(settings, tmp_path, reporter), _loop(mixed, tmp_path, reporter)
    before = exact.phi["x"].detach().clone()
    expected, actual = exact.advance(), rounded.advance()
    assert actual.outer_loss == pytest.approx(expected.outer_loss, rel=0.02)
    assert actual.grad_norm == pytest.approx(expected.grad_norm, rel=0.1)
    exact_grad, rounded_grad = exact.phi["x"].grad, rounded.phi["x"].grad
    assert torch.cosine_similarity(exact_grad.flatten(), rounded_grad.flatten(), dim=0) > 0.99
    assert not torch.equal(before, rounded.phi["x"])


def test_shapes_that_earlier_tasks_compiled_are_forgotten(
    settings, tmp_path, reporter, monkeypatch
) -> None:
    """A function may be compiled for eight shapes; a worker does many tasks in its life."""
    resets: list[None] = []
    monkeypatch.setattr(torch.compiler, "reset", lambda: resets.append(None))
    monkeypatch.setattr("stillhouse_worker.tasks.distill.require_compiler", lambda: None)
    for is_compiled, expected in ((False, 0), (True, 1)):
        # The method has no functions that are compiled.
        outer = settings.outer._replace(num_steps=1, compiled=is_compiled, method="stepwise")
        folder = tmp_path / str(is_compiled)
        folder.mkdir()
        distill(task_of(settings._replace(outer=outer), reporter, folder))
        assert len(resets) == expected


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("method", METHODS)
def test_the_first_step_on_a_gpu_is_that_of_a_cpu(
    settings, tmp_path, reporter, precision, method
) -> None:
    on_cpu = settings._replace(outer=settings.outer._replace(method=method))
    on_gpu = on_cpu._replace(device="cuda:0", precision=precision)
    loops = [_loop(chosen, tmp_path, reporter) for chosen in (on_cpu, on_gpu)]
    expected, actual = (loop.advance() for loop in loops)
    assert not actual.skipped
    assert actual.outer_loss == pytest.approx(expected.outer_loss, rel=0.02)
    there, here = (loop.phi["x"].grad.cpu().flatten() for loop in loops)
    assert torch.cosine_similarity(there, here, dim=0) > 0.99


@pytest.mark.cuda
def test_a_distillation_on_a_gpu_is_made_and_goes_on_from_a_checkpoint(
    settings, tmp_path, make_reporter
) -> None:
    on_gpu = settings._replace(device="cuda:0", precision="fp16")
    with pytest.raises(Stopped):
        distill(task_of(on_gpu, make_reporter(3), tmp_path))
    reporter = make_reporter()
    outcome = distill(task_of(on_gpu, reporter, tmp_path))
    assert any("resumed at outer step" in line for _, line in reporter.lines)
    assert load_artifact(outcome.folder).data.x.isfinite().all()


def test_a_loss_that_explodes_names_the_step_and_the_quantity(settings, tmp_path, reporter) -> None:
    wild = settings._replace(
        distilled=settings.distilled._replace(lr=1e30, attention_labels="none")
    )
    with pytest.raises(StillhouseError, match=r"outer loss is (nan|inf) at outer step 1") as caught:
        _loop(wild, tmp_path, reporter).advance()
    assert caught.value.kind == "diverged"


def test_fp16_that_overflows_in_too_many_steps_in_a_row_fails(
    settings, tmp_path, reporter, monkeypatch
) -> None:
    fp16 = settings.outer._replace(num_steps=100)
    loop = _loop(settings._replace(precision="fp16", outer=fp16), tmp_path, reporter)
    _give_gradients(monkeypatch, math.inf)
    for _ in range(MAX_SKIPS - 1):
        assert loop.advance().skipped
    state = loop.state()
    resumed = _loop(settings._replace(precision="fp16", outer=fp16), tmp_path, reporter)
    resumed.restore(state, loop.step)
    for each in (loop, resumed):
        with pytest.raises(StillhouseError, match="fp16 overflowed in 25 steps") as caught:
            each.advance()
        assert (caught.value.kind, caught.value.field) == ("diverged", "compute.precision")


def test_in_fp16_a_process_without_a_row_of_the_first_batch_takes_the_step_too(
    settings, tmp_path, reporter
) -> None:
    class Second(NamedTuple):
        """The other process has the only row; what it adds up is not looked at here."""

        rank: int = 1
        size: int = 2

        def total(self, tensors: list[torch.Tensor]) -> None:
            assert not any(tensor.any() for tensor in tensors)

    fp16 = settings._replace(precision="fp16", outer=settings.outer._replace(batch_size=1))
    loop = _loop(fp16, tmp_path, reporter)
    loop.team = Second()
    assert not loop.advance().skipped


def test_overflows_between_good_steps_do_not_add_up(settings, tmp_path, reporter) -> None:
    fp16 = settings.outer._replace(num_steps=100)
    loop = _loop(settings._replace(precision="fp16", outer=fp16), tmp_path, reporter)
    for _ in range(3):
        with pytest.MonkeyPatch.context() as patch:
            _give_gradients(patch, math.inf)
            loop.advance()
        loop.advance()
    assert (loop.optimiser.num_skipped, loop.optimiser.skips_in_a_row) == (3, 0)


def _give_gradients(patch: pytest.MonkeyPatch, value: float) -> None:
    """Let every meta-gradient have one ``value`` in its place, as it is before the scale is undone."""
    own = OuterLoop._meta_gradient

    def given(loop: OuterLoop, *args: Any) -> MetaGradient:
        result = own(loop, *args)
        grads = {name: torch.full_like(grad, value) for name, grad in result.grads.items()}
        return result._replace(grads=grads)

    patch.setattr(OuterLoop, "_meta_gradient", given)


@pytest.mark.parametrize(
    ("clip", "optimiser", "precision", "value"),
    [
        (1.0, "adam", "fp32", math.nan),
        (math.inf, "adam", "fp32", math.nan),
        (math.inf, "adam", "fp32", 1e25),
        (math.inf, "sgd", "fp32", 1e25),
        (math.inf, "adamw", "fp16", 1e30),
        (1.0, "sgd", "fp16", 1e30),
    ],
)
def test_a_gradient_that_is_not_finite_or_has_no_finite_square_ends_the_run(
    settings, tmp_path, reporter, monkeypatch, clip, optimiser, precision, value
) -> None:
    """An Adam whose mean of squares is infinite would stand still and say nothing."""
    outer = settings.outer._replace(clip=clip, optimiser=OPTIMISERS[optimiser])
    assert settings.distilled.attention_labels != "none", "its weight is not at fault"
    chosen = settings._replace(outer=outer, precision=precision)
    loop = _loop(chosen, tmp_path, reporter)
    before = loop.phi["x"].detach().clone()
    _give_gradients(monkeypatch, value)
    with pytest.raises(
        StillhouseError, match=r"norm of the meta-gradient is (nan|inf) at outer step 1"
    ) as caught:
        loop.advance()
    assert (caught.value.kind, caught.value.field) == ("diverged", "outer.lr")
    assert torch.equal(loop.phi["x"], before)


def test_an_update_that_leaves_the_numbers_ends_the_run(settings, tmp_path, reporter) -> None:
    """Also the last one, after which there is no loss that would show it."""
    outer = settings.outer._replace(
        optimiser=OptimiserConfig("sgd"), lr=1e38, clip=1e30, warmup_fraction=0.0, num_steps=1
    )
    loop = _loop(settings._replace(outer=outer), tmp_path, reporter)
    with pytest.MonkeyPatch.context() as patch:
        _give_gradients(patch, 1e10)
        with pytest.raises(StillhouseError, match=r"after the update is nan at outer step 1"):
            loop.advance()


def test_without_a_clip_the_gradient_is_followed_as_it_is(
    settings, tmp_path, reporter, monkeypatch
) -> None:
    """By SGD at a constant rate it is the whole update; labels and rates follow theirs."""
    distilled = settings.distilled._replace(learn_lr="shared")
    outer = settings.outer._replace(
        clip=math.inf,
        optimiser=OptimiserConfig("sgd"),
        schedule="constant",
        warmup_fraction=0.0,
        lr=0.5,
        labels_lr=0.25,
        rates_lr=0.125,
    )
    loop = _loop(settings._replace(distilled=distilled, outer=outer), tmp_path, reporter)
    before = {name: tensor.detach().clone() for name, tensor in loop.phi.items()}
    _give_gradients(monkeypatch, 8.0)
    loop.advance()
    moved = {name: (before[name] - tensor).mean().item() for name, tensor in loop.phi.items()}
    expected = {"x": 4, "labels": 2, "attention": 4, "log_lr": 1, "log_lr_decay": 1}
    assert moved == pytest.approx(expected)


def test_labels_and_rates_decay_as_they_have_it_and_the_rest_as_the_optimiser(
    settings, tmp_path, reporter, monkeypatch
) -> None:
    """Without a gradient decay is all that AdamW does."""
    distilled = settings.distilled._replace(learn_lr="per_step", rate_form="softplus")
    outer = settings.outer._replace(
        optimiser=OptimiserConfig("adamw", weight_decay=0.5),
        schedule="constant",
        warmup_fraction=0.0,
        lr=0.1,
        labels_weight_decay=0.0,
        rates_weight_decay=0.25,
    )
    loop = _loop(settings._replace(distilled=distilled, outer=outer), tmp_path, reporter)
    before = {name: tensor.detach().clone() for name, tensor in loop.phi.items()}
    _give_gradients(monkeypatch, 0.0)
    loop.advance()
    shares = {"x": 0.95, "labels": 1.0, "attention": 0.95, "raw_lr": 0.975}
    assert loop.phi.keys() == shares.keys()
    for name, share in shares.items():
        torch.testing.assert_close(loop.phi[name].detach(), share * before[name])


def test_an_exploding_attention_loss_is_distinguished_from_an_exploding_rate(
    settings, tmp_path, reporter
) -> None:
    def failure(**changes: object) -> StillhouseError:
        distilled = settings.distilled._replace(**changes)
        with pytest.raises(StillhouseError) as caught:
            _loop(settings._replace(distilled=distilled), tmp_path, reporter).advance()
        return caught.value

    attention = {"attention_labels": "cls", "attention_reduction": "keys"}
    heavy = failure(attention_lambda=1e30, **attention)
    assert "would be finite without the attention loss, whose weight is 1e+30" in heavy.message
    assert "--lambda" in heavy.message
    assert "--lr" not in heavy.message
    assert heavy.field == "distilled.attention_lambda"
    fast = failure(attention_lambda=1.0, lr=1e30, **attention)
    assert "a smaller --lr or --inner-lr may help" in fast.message
    assert fast.field == "outer.lr"
