"""Each term of the inner loss against a value computed by hand."""

import math

import pytest
import torch

from stillhouse_worker.distillation.inner import InnerLoss, leaves
from stillhouse_worker.distillation.losses import attention_divergence, soft_cross_entropy
from stillhouse_worker.distillation.synthetic import AttentionLabels, DistilledData
from stillhouse_worker.learners import Encoder, draw_head, forward, learner_params


def test_soft_cross_entropy_of_one_hot_labels_is_minus_the_log_probability() -> None:
    logits = torch.tensor([[math.log(3.0), 0.0]])  # softmax: 3/4, 1/4
    assert soft_cross_entropy(logits, torch.tensor([[1.0, 0.0]])).item() == pytest.approx(
        -math.log(0.75)
    )


def test_soft_cross_entropy_holds_for_labels_that_are_no_distribution() -> None:
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])
    labels = torch.tensor([[2.0, -1.0], [0.5, 0.0]])
    first = -(2 * math.log(0.75) - 1 * math.log(0.25))
    second = -(0.5 * math.log(0.5))
    assert soft_cross_entropy(logits, labels).item() == pytest.approx((first + second) / 2)


def _attention_case() -> tuple[torch.Tensor, torch.Tensor]:
    # One sample, one head, two tokens; the learner attends evenly.
    target = torch.tensor([[0.75, 0.25], [0.5, 0.5]]).log().view(1, 1, 2, 2)
    return torch.zeros(1, 1, 2, 2), target


KL_FIRST_ROW = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)


def test_keys_reduction_is_the_divergence_per_query() -> None:
    scores, target = _attention_case()
    assert attention_divergence(scores, target[:, :, :1], "keys").item() == pytest.approx(
        KL_FIRST_ROW
    )
    assert attention_divergence(scores, target, "keys").item() == pytest.approx(KL_FIRST_ROW / 2)


def test_elementwise_reduction_averages_over_keys_too() -> None:
    scores, target = _attention_case()
    assert attention_divergence(scores, target[:, :, :1], "elementwise").item() == pytest.approx(
        KL_FIRST_ROW / 2
    )
    assert attention_divergence(scores, target, "elementwise").item() == pytest.approx(
        KL_FIRST_ROW / 4
    )


@pytest.mark.parametrize("rows", ["first", "all"])
def test_a_row_of_a_shorter_sample_weighs_as_much_as_a_distilled_one(rows: str) -> None:
    scores, target = _attention_case()
    target = target[:, :, :1] if rows == "first" else target
    keys = attention_divergence(scores, target, "keys").item()
    short = attention_divergence(scores, target, "elementwise", num_keys=512)
    assert short.item() == pytest.approx(keys / 512)
    own = attention_divergence(scores, target, "elementwise", num_keys=2)
    assert torch.equal(own, attention_divergence(scores, target, "elementwise"))
    assert torch.equal(
        attention_divergence(scores, target, "keys", num_keys=512),
        attention_divergence(scores, target, "keys"),
    )


def test_inner_loss_adds_lambda_times_the_divergence(tiny_encoder: Encoder) -> None:
    draws = torch.Generator().manual_seed(0)
    head = draw_head(tiny_encoder.config.width, 2, "default", draws)
    theta = leaves(learner_params(tiny_encoder, head))
    x, labels = torch.randn(2, 5, 16, generator=draws), torch.eye(2)
    attention = torch.randn(2, 2, 2, 5, generator=draws).log_softmax(-1)
    attention_labels = AttentionLabels.unpacked("cls", attention)
    data = DistilledData(x, labels, attention_labels, torch.tensor([0.5]))
    output = forward(tiny_encoder.config, theta, x)
    divergences = [
        attention_divergence(scores, attention_labels.of_block(index), "keys").item()
        for index, scores in enumerate(output.scores)
    ]
    expected = soft_cross_entropy(output.logits, labels).item() + 7 * sum(divergences) / 2
    actual = InnerLoss(tiny_encoder, 7.0, "keys")(data, theta)
    assert actual.item() == pytest.approx(expected, rel=1e-6)
