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
    strengths = (1e-5, 1e-2, 1.0, 100.0)
    each = {l2: linear_probe(*train, 3, l2).accuracy(*validation) for l2 in strengths}
    probe = searched_probe(train, validation, 3, strengths)
    assert probe.classifier.accuracy(*validation) == max(each.values())
    assert probe.l2 == max(l2 for l2, value in each.items() if value == max(each.values()))


def test_weaker_penalties_are_not_tried_after_two_that_are_worse() -> None:
    # Labels are noise with a weak signal: the more freedom, the worse.
    draws = torch.Generator().manual_seed(0)
    features = torch.randn(640, 20, generator=draws)
    labels = (features[:, 0] + 0.5 * torch.randn(640, generator=draws) > 0).long()
    train, validation = (features[:40], labels[:40]), (features[40:], labels[40:])
    strengths = (1e-6, 1e-4, 1e-2, 0.1, 1.0)
    begun: set[int] = set()
    probe = searched_probe(train, validation, 2, strengths, begun.add)
    each = {l2: linear_probe(*train, 2, l2).accuracy(*validation) for l2 in strengths}
    assert probe.l2 == max(l2 for l2, value in each.items() if value == max(each.values()))
    assert len(begun) < len(strengths)


def test_what_the_caller_raises_ends_the_search() -> None:
    evaluations = []

    def on_evaluation(index: int) -> None:
        evaluations.append(index)
        if len(evaluations) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched_probe(clouds(90, 1.0), clouds(90, 1.0, seed=1), 3, on_evaluation=on_evaluation)
    assert len(evaluations) == 3


def test_accuracy_is_the_share_of_rows_that_are_right() -> None:
    classifier = LinearClassifier(torch.eye(2), torch.zeros(2))
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    assert classifier.accuracy(features, torch.tensor([0, 1, 1, 0])) == 0.75
