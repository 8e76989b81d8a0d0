"""Class means and linear probes on features."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stillhouse_worker.evaluation.linear_classifiers import (
    LinearClassifier,
    class_means,
    linear_probe,
    searched_probe,
)


def clouds(rows: int, spread: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Three clouds around fixed points, with features of different scales."""
    centres = torch.randn(3, 5, generator=torch.Generator().manual_seed(9))
    draws = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % 3
    features = centres[labels] + spread * torch.randn(rows, 5, generator=draws)
    return features * torch.tensor([1.0, 10.0, 0.1, 1.0, 1.0]) + 3.0, labels


def test_class_means_choose_the_nearest_mean() -> None:
    features, labels = clouds(300, 0.5)
    classifier = class_means(features, labels, 3)
    means = torch.stack([features[labels == label].mean(0) for label in range(3)])
    nearest = torch.cdist(features, means).argmin(1)
    assert torch.equal(classifier.logits(features).argmax(1), nearest)


@pytest.mark.parametrize("l2", [1e-3, 1.0])
def test_a_probe_is_where_the_gradient_of_its_objective_is_zero(l2: float) -> None:
    features, labels = clouds(90, 1.0)
    classifier = linear_probe(features, labels, 3, l2)
    scale = features.std(0, correction=0)
    weight = (classifier.weight * scale).double().requires_grad_()
    bias = (classifier.bias + classifier.weight @ features.mean(0)).double().requires_grad_()
    x = ((features - features.mean(0)) / scale).double()
    loss = F.cross_entropy(F.linear(x, weight, bias), labels) + l2 / 2 * weight.square().sum()
    for grad in torch.autograd.grad(loss, [weight, bias]):
        assert grad.abs().max() < 1e-5


def test_a_constant_feature_counts_for_nothing_and_breaks_nothing() -> None:
    features, labels = clouds(90, 0.5)
    with_constant = torch.cat([features, torch.full((90, 1), 7.0)], 1)
    plain, other = (linear_probe(x, labels, 3, 0.01) for x in (features, with_constant))
    torch.testing.assert_close(
        other.logits(with_constant), plain.logits(features), atol=1e-4, rtol=0
    )


def test_the_penalty_is_the_best_one_on_validation() -> None:
    train, validation = clouds(12, 1.5, seed=1), clouds(600, 1.5, seed=2)
    told: list[float] = []
    strengths = (1e-5, 1e-2, 1.0, 100.0)
    probe = searched_probe(train, validation, 3, strengths, lambda _, value: told.append(value))
    assert len(told) == len(strengths)
    assert probe.classifier.accuracy(*validation) == max(told)
    best = [l2 for l2, value in zip(strengths, told, strict=True) if value == max(told)]
    assert probe.l2 == max(best)


def test_accuracy_is_the_share_of_rows_that_are_right() -> None:
    classifier = LinearClassifier(torch.eye(2), torch.zeros(2))
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    assert classifier.accuracy(features, torch.tensor([0, 1, 1, 0])) == 0.75
