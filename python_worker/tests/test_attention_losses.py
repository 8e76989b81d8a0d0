"""What attention is asked for: each loss by hand, and its derivatives in every method."""

import dataclasses
import math

import pytest
import torch
from tasks_of import task_of
from test_meta_gradient import _assert_equal, assert_slopes

from bench._small_problem import Combination, problem
from stillhouse_worker.artifacts import load_artifact
from stillhouse_worker.context.reporting import Silent
from stillhouse_worker.distillation.inner import StagedInnerLoss
from stillhouse_worker.distillation.losses import (
    LOG_ZERO,
    AttentionLoss,
    attention_divergence,
    soft_cross_entropy,
)
from stillhouse_worker.distillation.meta_gradient import METHODS, stepwise, unrolled
from stillhouse_worker.distillation.synthetic import DistilledData
from stillhouse_worker.learners import Encoder
from stillhouse_worker.learners.interface import Params
from stillhouse_worker.tasks.distill import distill

OTHERS: tuple[AttentionLoss, ...] = ("mse", "mul")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("mse", ((0.75 - 0.5) ** 2 + (0.25 - 0.5) ** 2) / 2),
        ("mul", -math.log(0.75 * 0.5 + 0.25 * 0.5)),
    ],
)
def test_each_loss_is_that_of_a_query_by_hand(kind: AttentionLoss, expected: float) -> None:
    labels = torch.tensor([0.75, 0.25]).log().view(1, 1, 1, 2)
    scores = torch.zeros(1, 1, 1, 2)  # the learner attends evenly
    assert attention_divergence(scores, labels, "keys", kind=kind).item() == pytest.approx(expected)
    of_element = attention_divergence(scores, labels, "elementwise", kind=kind)
    assert of_element.item() == pytest.approx(expected / 2)


@pytest.mark.parametrize("kind", ["kl", *OTHERS])
def test_a_query_without_a_label_asks_for_nothing(kind: AttentionLoss) -> None:
    scores = torch.randn(1, 1, 2, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]]).log().view(1, 1, 2, 3)
    labels[:, :, 1] = LOG_ZERO
    alone = attention_divergence(scores, labels[:, :, :1], "keys", kind=kind)
    both = attention_divergence(scores, labels, "keys", kind=kind)
    assert both.item() == pytest.approx(alone.item() / 2)


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("attention", ["cls", "all"])
def test_every_method_gives_the_slope(
    tiny_encoder: Encoder, kind: AttentionLoss, attention: str
) -> None:
    given = {"num_steps": 2, "learn_lr": "per_step", "accumulate": True, "attention": attention}
    case = problem(tiny_encoder, attention_loss=kind, **given)
    assert_slopes(METHODS, *case)
    oracle = unrolled(*case)
    each = Combination("unrestricted", attention, 2, "per_step", True)
    for tight in (case[0], case[0]._replace(activation_bytes=0)):
        _assert_equal(METHODS["blockwise"](tight, *case[1:]), oracle, each)
    _assert_equal(METHODS["stepwise"](*case), oracle, each)


def test_the_cross_entropy_of_attention_has_the_meta_gradient_of_kl(tiny_encoder: Encoder) -> None:
    """They differ by the entropy of the labels, which no parameter of a learner is in."""
    case, phi, theta = problem(tiny_encoder, num_steps=2, learn_lr="per_step")
    own = case.inner_loss
    assert isinstance(own, StagedInnerLoss)

    class CrossEntropy:
        def __call__(self, data: DistilledData, params: Params) -> torch.Tensor:
            output = tiny_encoder.forward(params, data.x)
            assert data.attention_labels is not None
            shares = [
                -(labels.exp() * scores[:, :, :1].log_softmax(-1)).sum(-1).mean()
                for scores, labels in zip(
                    output.scores, data.attention_labels.log_probabilities.unbind(1), strict=True
                )
            ]
            loss = soft_cross_entropy(output.logits, data.class_labels)
            return loss + own.attention_lambda * torch.stack(shares).mean()

        def of_step(self, index: int) -> "CrossEntropy":
            return self

    expected = stepwise(case, phi, theta).grads
    actual = stepwise(case._replace(inner_loss=CrossEntropy()), phi, theta).grads
    for name, gradient in expected.items():
        torch.testing.assert_close(actual[name], gradient, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("kind", ["kl", *OTHERS])
def test_an_artifact_says_its_loss_unless_it_is_the_former_one(
    settings, tmp_path, kind: AttentionLoss
) -> None:
    own = settings._replace(
        distilled=settings.distilled._replace(attention_loss=kind),
        outer=settings.outer._replace(num_steps=1, method="blockwise"),
        validations=1,
    )
    artifact = load_artifact(distill(task_of(own, Silent(), tmp_path)).folder)
    is_former = kind == "kl"
    assert artifact.manifest["format"] == f"stillhouse.distilled.v{1 if is_former else 3}"
    assert artifact.manifest["inner_loss"].get("attention_loss", "kl") == kind
    assert ("attention_loss" in artifact.manifest["inner_loss"]) != is_former
    loss = artifact.inner_loss(artifact.load_learner())
    assert loss.attention_loss == kind
    other = dataclasses.replace(loss, attention_loss="mul" if kind != "mul" else "kl")
    learner = artifact.train(init_seed=3)
    assert other(artifact.data, learner.params) != loss(artifact.data, learner.params)
