"""Dropout in inner steps: its masks, its meta-gradients, and the runs that have it."""

import pytest
import torch
from tasks_of import run, task_of
from test_meta_gradient import METHODS_BUT_ORACLE, assert_slopes
from test_nets import net_of

from bench._small_problem import problem
from stillhouse_worker.artifacts import load_artifact
from stillhouse_worker.context.reporting import Silent, Stopped
from stillhouse_worker.context.variation import Variation
from stillhouse_worker.distillation.inner import inner_gradient, inner_loss, sgd
from stillhouse_worker.distillation.meta_gradient import METHODS, Window, unrolled
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.learners.dropout import Dropout
from stillhouse_worker.learners.encoder_config import POOLINGS
from stillhouse_worker.tasks.distill import Distillation, distill

P = 0.25


def test_a_mask_follows_from_seed_and_place_whatever_was_drawn_before() -> None:
    like, shape = torch.zeros(1, dtype=torch.float64), (40, 50)
    mask = Dropout(P, 7).mask("norm", shape, like)
    torch.rand(3)
    assert torch.equal(mask, Dropout(P, 7).mask("norm", shape, like))
    assert torch.equal(mask.bool(), Dropout(P, 7).mask("norm", shape, torch.zeros(1)).bool())
    others = [Dropout(P, 8).mask("norm", shape, like), Dropout(P, 7).mask("head", shape, like)]
    others += [Dropout(P, 7).within("block", n).mask("norm", shape, like) for n in (0, 1)]
    for index, other in enumerate(others):
        for one in (mask, *others[:index]):
            # Independent masks drop the same values as often as not.
            both = ((one == 0) & (other == 0)).double().mean().item()
            assert both == pytest.approx(P * P, abs=0.03)
    assert set(mask.unique().tolist()) == {0.0, 1 / (1 - P)}
    assert mask.mean().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("attention", ["none", "cls", "all"])
def test_methods_equal_the_unrolled_gradient(tiny_encoder, pooling, attention) -> None:
    """With room for all values of the blocks, for a few, and for none."""
    encoder = tiny_encoder._replace(config=tiny_encoder.config._replace(pooling=pooling))
    case, phi, theta = problem(
        encoder, attention=attention, num_steps=3, learn_lr="per_step", dropout=P
    )
    expected = unrolled(case, phi, theta)
    for method in METHODS_BUT_ORACLE:
        for room in (2**40, 20_000, 0):
            tight = case._replace(activation_bytes=room, trajectory_bytes=room)
            found = METHODS[method](tight, phi, theta)
            torch.testing.assert_close(
                found.inner_losses, expected.inner_losses, rtol=1e-12, atol=0
            )
            for name, tensor in expected.grads.items():
                gap = (found.grads[name] - tensor).norm() / tensor.norm()
                assert gap <= 1e-12, (method, room, name)


def test_in_blocks_and_a_window_it_is_the_slope_of_the_outer_loss(tiny_encoder) -> None:
    given = {"num_steps": 4, "learn_lr": "per_step", "blocks": 2, "window": Window(1, 3)}
    assert_slopes(METHODS, *problem(tiny_encoder, dropout=P, accumulate=True, **given))


def test_each_step_drops_other_values_and_none_without_dropout(tiny_encoder) -> None:
    plain, phi, theta = problem(tiny_encoder, num_steps=2)
    dropping = problem(tiny_encoder, num_steps=2, dropout=P)[0].inner_loss
    data = plain.materialise(phi)
    losses = [dropping.of_step(index)(data, theta).item() for index in (0, 1, 0)]
    assert losses[0] == losses[2]
    assert losses[0] != losses[1]
    assert dropping.of_learner(1, "outer step", 1).of_step(0)(data, theta).item() != losses[0]
    without = plain.inner_loss.of_learner(1, "outer step", 1).of_step(0)
    assert without is plain.inner_loss


def test_a_learner_without_dropout_is_refused() -> None:
    with pytest.raises(StillhouseError, match=r"must be 0 for a learner .*, got 0\.25") as caught:
        inner_loss(net_of("lenet"), 0.0, "keys", P)
    assert caught.value.field == "inner.dropout"


@pytest.fixture(scope="module")
def dropping(settings):
    """Two heads of three inner steps with dropout."""
    distilled = settings.distilled._replace(dropout=P, num_steps=3)
    return settings._replace(
        distilled=distilled, outer=settings.outer._replace(num_steps=5, inits_per_step=2)
    )


@pytest.fixture(scope="module")
def artifact_folder(dropping, tmp_path_factory):
    return distill(task_of(dropping, Silent(), tmp_path_factory.mktemp("dropout"))).folder


def test_each_learner_of_each_outer_step_drops_other_values(dropping, tmp_path, reporter) -> None:
    loop = Distillation(task_of(dropping, reporter, tmp_path)).loop
    seeds = []
    for step in range(3):
        loop.step = step
        seeds += [loop._inner_loss(init).dropout.seed for init in range(2)]
    assert len(set(seeds)) == 6


def test_a_run_is_resumed_to_the_same_bytes(
    dropping, artifact_folder, tmp_path, make_reporter
) -> None:
    with pytest.raises(Stopped):
        distill(task_of(dropping, make_reporter(3), tmp_path))
    resumed = distill(task_of(dropping, make_reporter(), tmp_path))
    for name in ("distilled.safetensors", "manifest.json"):
        assert (resumed.folder / name).read_bytes() == (artifact_folder / name).read_bytes()


def test_a_test_learner_has_the_dropout_of_the_artifact(artifact_folder, tiny_encoder) -> None:
    artifact = load_artifact(artifact_folder)
    assert artifact.manifest["inner_loss"]["dropout"] == P
    loss = inner_loss(tiny_encoder, 0.0, "keys", P).of_learner(4, "test")
    data, theta = artifact.data, artifact.starts(tiny_encoder).of_test_learner(4)
    data, known = data._replace(attention_labels=None), theta
    for step in range(3):
        _, grads = inner_gradient(loss.of_step(step), data, known)
        known = sgd(known, grads, data.lrs[step])
    learner = artifact._replace(data=data).train(4, learner=tiny_encoder)
    for name, expected in known.items():
        torch.testing.assert_close(learner.params[name], expected)


def test_a_variation_that_varies_nothing_trains_the_same_learners(
    dropping, artifact_folder, tmp_path, reporter
) -> None:
    accuracies = [
        [outcome.accuracy for outcome in run(*task, given).inits]
        for given in (None, Variation())
        for task in [
            ("evaluate", dropping, [3, 4], artifact_folder, tmp_path / str(given), reporter)
        ]
    ]
    assert accuracies[0] == accuracies[1]


def test_an_artifact_without_dropout_says_nothing_of_it(distilled) -> None:
    inner = load_artifact(distilled.folder).manifest["inner_loss"]
    assert sorted(inner) == ["attention_lambda", "attention_reduction"]
