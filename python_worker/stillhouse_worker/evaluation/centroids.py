"""Centroids of each class by k-means, as Wang et al. (2018) compare distilled images with.

With one per class a centroid is the mean of its class. The start is that of k-means++ (Arthur and
Vassilvitskii, 2007).
"""

from collections import Counter
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..datasets.sampling import arranged

# Rounds of assigning rows to centroids; a few dozen settle them on digits.
_MAX_ROUNDS = 100


def class_centroids(
    vectors: Float[Tensor, "n e"],
    labels: Int[Tensor, " n"],
    classes: Sequence[int],
    draws: torch.Generator,
    *,
    repeats: bool = False,
) -> tuple[Float[Tensor, "m e"], Int[Tensor, " m"]]:
    """A centroid for each of ``classes``, in their order, and no more than a class has rows.

    Args:
        vectors: all rows.
        labels: their classes, 0 to C - 1.
        classes: of the centroids that are wanted.
        draws: a CPU generator, of the starts.
        repeats: whether the centroids of a class with fewer rows repeat; without, there are fewer.

    Returns:
        The centroids and their classes.
    """
    parts, places, found = [], {}, 0
    for label, count in sorted(Counter(classes).items()):
        of_class = vectors[labels == label]
        parts.append(k_means(of_class, min(count, len(of_class)), draws))
        number = len(parts[-1])
        places[label] = found + torch.arange(count if repeats else number) % number
        found += number
    order = arranged(classes, places)
    kinds = [torch.full((len(own),), label) for label, own in zip(places, parts, strict=True)]
    return torch.cat(parts)[order], torch.cat(kinds)[order]


def k_means(
    vectors: Float[Tensor, "n e"], count: int, draws: torch.Generator
) -> Float[Tensor, "count e"]:
    """The centroids of ``count`` groups, 1 <= count <= n, once no row changes its group."""
    centroids = _start(vectors, count, draws)
    groups = torch.full((len(vectors),), -1)
    for _ in range(_MAX_ROUNDS):
        nearest = torch.cdist(vectors, centroids).argmin(1)
        if torch.equal(nearest, groups):
            break
        groups = nearest
        sums = torch.zeros_like(centroids).index_add_(0, groups, vectors)
        sizes = torch.bincount(groups, minlength=count)[:, None]
        # A group without rows stays where it is.
        centroids = torch.where(sizes > 0, sums / sizes.clamp(min=1), centroids)
    return centroids


def _start(vectors: Tensor, count: int, draws: torch.Generator) -> Tensor:
    """Rows, each drawn in proportion to its squared distance from those before."""
    chosen = [int(torch.randint(len(vectors), (), generator=draws))]
    squares = (vectors - vectors[chosen[0]]).square().sum(1)
    while len(chosen) < count:
        # Where all rows equal those before, any other one does.
        weights = squares if squares.any() else torch.ones_like(squares)
        chosen.append(int(torch.multinomial(weights, 1, generator=draws)))
        squares = torch.minimum(squares, (vectors - vectors[chosen[-1]]).square().sum(1))
    return vectors[chosen]
