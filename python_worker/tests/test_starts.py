"""Where learners start from."""

import itertools

import torch

from stillhouse_worker.learners import Encoder
from stillhouse_worker.learners.starts import Starts


def drawn(starts: Starts) -> list[torch.Tensor]:
    """The last layer's weights of learners for all purposes."""
    draws = [starts.of_outer_step(0), starts.of_outer_step(1)]
    draws += [starts.of_validation(0), starts.of_validation(1)]
    draws += [starts.of_test_learner(0), starts.of_test_learner(1)]
    return [theta["head.out.weight"] for theta in draws]


def test_every_purpose_and_index_has_a_head_of_its_own(tiny_encoder: Encoder) -> None:
    weights = drawn(Starts(tiny_encoder, 2, 1, "default", fixed=False))
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(weights, 2))


def test_a_fixed_start_is_that_of_the_seed_for_all_purposes(tiny_encoder: Encoder) -> None:
    one, other = (drawn(Starts(tiny_encoder, 2, seed, "default", fixed=True)) for seed in (1, 2))
    assert all(torch.equal(weight, one[0]) for weight in one)
    assert not torch.equal(one[0], other[0])


def test_a_test_learner_starts_from_the_same_theta_whatever_the_experiment(
    tiny_encoder: Encoder,
) -> None:
    first, second = (
        Starts(tiny_encoder, 2, seed, "normal", fixed=False).of_test_learner(7) for seed in (1, 2)
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
