"""Label kinds, attention labels and learned rates as the method defines them."""

import pytest
import torch

from stillhouse_worker.distillation.inner_rates import LearnLr, RateForm
from stillhouse_worker.distillation.synthetic import (
    AttentionKind,
    AttentionLabels,
    ClassLabelKind,
    SyntheticConfig,
    init_phi,
    materialise,
)


def config(
    labels: ClassLabelKind = "hard",
    attention: AttentionKind = "none",
    learn_lr: LearnLr = "none",
    per_class: int = 1,
) -> SyntheticConfig:
    return SyntheticConfig(4, per_class, 5, labels, attention, 3, 0.5, 0.2, learn_lr)


def made(configuration: SyntheticConfig):
    x = torch.randn(4 * configuration.per_class, 5, 8)
    phi = init_phi(configuration, 2, 3, x, torch.Generator().manual_seed(0))
    return phi, materialise(configuration, phi)


def test_hard_labels_are_one_hot_and_not_learned() -> None:
    phi, data = made(config(per_class=2))
    assert set(phi) == {"x"}
    assert torch.equal(data.class_labels, torch.eye(4).repeat_interleave(2, 0))


def test_restricted_labels_start_as_the_softmax_of_one_hot_values() -> None:
    _, data = made(config("restricted"))
    assert data.class_labels[0].tolist() == pytest.approx(
        [0.4754, 0.1749, 0.1749, 0.1749], abs=1e-4
    )


def test_restricted_labels_stay_a_distribution_wherever_phi_goes() -> None:
    configuration = config("restricted")
    phi, _ = made(configuration)
    phi["labels"] = torch.randn(4, 4) * 10
    labels = materialise(configuration, phi).class_labels
    assert labels.min() >= 0
    torch.testing.assert_close(labels.sum(-1), torch.ones(4))


def test_unrestricted_labels_start_one_hot_and_may_leave_the_simplex() -> None:
    configuration = config("unrestricted")
    phi, data = made(configuration)
    assert torch.equal(data.class_labels.detach(), torch.eye(4))
    phi["labels"] = torch.full((4, 4), -2.0)
    assert materialise(configuration, phi).class_labels.max() == -2.0


@pytest.mark.parametrize(("kind", "num_queries"), [("cls", 1), ("all", 5)])
def test_attention_labels_are_distributions_over_keys(
    kind: AttentionKind, num_queries: int
) -> None:
    phi, data = made(config(attention=kind))
    labels = data.attention_labels
    assert labels is not None
    assert labels.kind == kind
    assert labels.log_probabilities.shape == (4, 2, 3, num_queries, 5)
    shares = labels.log_probabilities.exp().sum(-1)
    torch.testing.assert_close(shares, torch.ones(4, 2, 3, num_queries))
    # Files of earlier versions have the shape of phi.
    assert labels.packed().shape == phi["attention"].shape
    again = AttentionLabels.unpacked(labels.kind, labels.packed())
    assert torch.equal(again.log_probabilities, labels.log_probabilities)


@pytest.mark.parametrize("learn_lr", ["none", "shared", "per_step"])
@pytest.mark.parametrize("form", ["exp", "softplus"])
def test_rates_start_on_the_given_schedule(learn_lr: LearnLr, form: RateForm) -> None:
    phi, data = made(config(learn_lr=learn_lr)._replace(rate_form=form))
    assert data.lrs.tolist() == pytest.approx([0.5, 0.1, 0.02])
    word = "log" if form == "exp" else "raw"
    learned = {"none": set(), "shared": {"lr", "lr_decay"}, "per_step": {"lr"}}
    assert set(phi) - {"x"} == {f"{word}_{name}" for name in learned[learn_lr]}
    assert data.lrs.requires_grad == (learn_lr != "none")


def test_softplus_rates_are_those_of_softplus_from_the_smallest_to_the_greatest() -> None:
    tiny_and_huge = config(learn_lr="per_step")._replace(
        rate_form="softplus", lr=1e-5, lr_decay=1e4
    )
    phi, data = made(tiny_and_huge)
    assert data.lrs.tolist() == pytest.approx([1e-5, 0.1, 1e3], rel=1e-3)
    phi["raw_lr"] = torch.tensor([0.0, 2.0, -3.0])
    expected = torch.nn.functional.softplus(phi["raw_lr"])
    assert torch.equal(materialise(tiny_and_huge, phi).lrs, expected)


def test_each_block_has_samples_of_its_own_and_its_turn() -> None:
    configuration = config("unrestricted", "cls")._replace(blocks=2, num_steps=4)
    x = torch.randn(8, 5, 8)
    phi = init_phi(configuration, 2, 3, x, torch.Generator().manual_seed(0))
    data = materialise(configuration, phi)
    assert torch.equal(data.class_labels.detach(), torch.eye(4).repeat(2, 1))
    for step, first in enumerate([0, 4, 0, 4]):
        block, rows = data.of_step(step), slice(first, first + 4)
        assert torch.equal(block.x, x[rows])
        assert torch.equal(block.class_labels, data.class_labels[rows])
        expected = data.attention_labels.log_probabilities[rows]
        assert torch.equal(block.attention_labels.log_probabilities, expected)
        assert (block.num_blocks, len(block.lrs)) == (1, 4)
    assert data.map(torch.Tensor.detach).num_blocks == 2


def test_samples_may_be_of_any_classes() -> None:
    configuration = config()._replace(classes=(3, 0, 0), blocks=2)
    phi = init_phi(configuration, 2, 3, torch.randn(6, 5, 8), torch.Generator())
    labels = materialise(configuration, phi).class_labels
    assert labels.argmax(-1).tolist() == [3, 0, 0, 3, 0, 0]
