"""Rows held out of train where a set brings no validation or test split of its own."""

import math
import random
from collections import defaultdict
from collections.abc import Sequence

from .rows import Split

# Fixed, and on purpose not the experiment's seed: all experiments on a set share its split, so a
# full-data baseline that one of them trained is good for the others.
HOLDOUT_SEED = 20220401
# The share of test before it could be chosen: the fingerprint of a set that is held out with it
# does not name the share, as it did not then.
FORMER_TEST_FRACTION = 0.2


def holdout_indices(labels: Sequence[int], fraction: float, purpose: str) -> list[int]:
    """Choose rows to hold out, stratified by class, the same ones every time.

    A class of n rows gives ``fraction * n`` of them, halves rounded up, but at least one and never
    its last one (a class of a single row gives none). Which ones: those with the lowest draws of
    Python's Mersenne Twister seeded by ``HOLDOUT_SEED`` and the purpose, one draw per row in file
    order, a sequence that Python keeps from version to version.

    Args:
        labels: class index of each row.
        fraction: share to hold out, 0 < fraction < 1.
        purpose: "validation" or "test"; the two are drawn independently.

    Returns:
        Row numbers in rising order.
    """
    generator = random.Random(f"{HOLDOUT_SEED} {purpose}")
    by_class: defaultdict[int, list[tuple[float, int]]] = defaultdict(list)
    for row, label in enumerate(labels):
        by_class[label].append((generator.random(), row))
    held_out: list[int] = []
    for draws in by_class.values():
        count = min(len(draws) - 1, max(1, math.floor(fraction * len(draws) + 0.5)))
        held_out.extend(row for _, row in sorted(draws)[:count])
    return sorted(held_out)


def rows_at(split: Split, rows: Sequence[int]) -> Split:
    """Some rows of a split, in the order of ``rows``."""
    second = split.second
    return Split(
        [split.first[row] for row in rows],
        None if second is None else [second[row] for row in rows],
        [split.labels[row] for row in rows],
    )
