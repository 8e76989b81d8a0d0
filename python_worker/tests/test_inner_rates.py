"""A rate of the encoder's own in inner steps."""

import torch

from stillhouse_worker.distillation.inner import sgd
from stillhouse_worker.distillation.inner_rates import RATE_NAMES, InnerRates

THETA = {"blocks.0.up.weight": torch.ones(2), "head.weight": torch.ones(2)}
GRADS = [torch.ones(2), torch.ones(2)]


def test_the_encoder_follows_its_share_of_the_rate_and_the_head_all_of_it() -> None:
    moved = sgd(THETA, GRADS, 0.5, torch.tensor(0.25))
    assert moved["head.weight"].tolist() == [0.5, 0.5]
    assert moved["blocks.0.up.weight"].tolist() == [0.875, 0.875]
    alike = sgd(THETA, GRADS, 0.5)
    assert alike["blocks.0.up.weight"].tolist() == [0.5, 0.5]


def test_it_is_learned_where_rates_are_and_starts_as_given() -> None:
    rates = InnerRates(2, 0.5, 1.0, "shared", "softplus", 0.25)
    phi = {name: value.requires_grad_() for name, value in rates.init().items()}
    assert set(phi) < set(RATE_NAMES)
    scale = rates.encoder_scale_of(phi)
    assert scale is not None
    torch.testing.assert_close(scale, torch.tensor(0.25))
    assert scale.requires_grad
    given = rates._replace(learned="none")
    assert given.init() == {}
    assert given.encoder_scale_of({}) == torch.tensor(0.25)


def test_without_one_both_have_one_rate_and_nothing_more_is_learned() -> None:
    rates = InnerRates(2, 0.5, 1.0, "shared", "exp")
    assert set(rates.init()) == {"log_lr", "log_lr_decay"}
    assert rates.encoder_scale_of(rates.init()) is None
