"""Which heads learners start from."""

import itertools

import torch

from stillhouse_worker.learners.starting_heads import StartingHeads


def drawn(heads: StartingHeads) -> list[torch.Tensor]:
    """The weights of heads for all purposes."""
    draws = [heads.of_outer_step(0), heads.of_outer_step(1)]
    draws += [heads.of_validation(0), heads.of_validation(1)]
    draws += [heads.of_test_learner(0), heads.of_test_learner(1)]
    return [head["head.out.weight"] for head in draws]


def test_every_purpose_and_index_has_a_head_of_its_own() -> None:
    weights = drawn(StartingHeads(1, "default", fixed=False, width=4, num_classes=2))
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(weights, 2))


def test_a_fixed_head_is_that_of_the_seed_for_all_purposes() -> None:
    one, other = (
        drawn(StartingHeads(seed, "default", fixed=True, width=4, num_classes=2)) for seed in (1, 2)
    )
    assert all(torch.equal(weight, one[0]) for weight in one)
    assert not torch.equal(one[0], other[0])


def test_a_test_learner_starts_from_the_same_head_whatever_the_experiment() -> None:
    first, second = (
        StartingHeads(seed, "normal", fixed=False, width=4, num_classes=2).of_test_learner(7)
        for seed in (1, 2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
