"""Coresets: a few real rows of each class, chosen in the space of frozen features.

As the coreset baselines of DC-BENCH (Cui et al., 2022) choose images.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..datasets import RealSplit, collate
from ..datasets.sampling import arranged
from ..learners import Learner, frozen_features
from ..learners.precision import Precision, autocast
from .reading import read_batches

Coreset = Literal["herding", "kcenter"]


def coreset_rows(
    kind: Coreset,
    vectors: Float[Tensor, "n e"],
    labels: Int[Tensor, " n"],
    classes: Sequence[int],
) -> Int[Tensor, " m"]:
    """A row of each of ``classes``, in their order; fewer where a class has fewer.

    Args:
        kind: see `herding` and `k_center`; with one row per class both choose the same.
        vectors: features of all rows.
        labels: their classes, 0 to C - 1.
        classes: of the rows that are wanted.
    """
    choose = herding if kind == "herding" else k_center
    rows = {}
    for label, count in Counter(classes).items():
        of_class = (labels == label).nonzero()[:, 0]
        rows[label] = of_class[choose(vectors[of_class], min(count, len(of_class)))]
    return arranged(classes, rows)


def herding(vectors: Float[Tensor, "n e"], count: int) -> Int[Tensor, " count"]:
    """Greedily the rows that keep the mean of the chosen nearest to the mean of all."""
    mean, total = vectors.mean(0), torch.zeros_like(vectors[0])
    chosen: list[int] = []
    for number in range(1, count + 1):
        distances = (vectors - (mean * number - total)).norm(dim=1)
        distances[chosen] = torch.inf
        chosen.append(int(distances.argmin()))
        total = total + vectors[chosen[-1]]
    return torch.tensor(chosen)


def k_center(vectors: Float[Tensor, "n e"], count: int) -> Int[Tensor, " count"]:
    """The row nearest to the mean, then greedily the one farthest from all that are chosen."""
    chosen = [int((vectors - vectors.mean(0)).norm(dim=1).argmin())]
    nearest = (vectors - vectors[chosen[0]]).norm(dim=1)
    while len(chosen) < count:
        nearest[chosen] = -1.0  # of equal rows each counts once
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, (vectors - vectors[chosen[-1]]).norm(dim=1))
    return torch.tensor(chosen)


def features_of(
    learner: Learner,
    split: RealSplit,
    precision: Precision,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> Float[Tensor, "n e"]:
    """The features of every row, fp32, on the CPU; see `frozen_features`.

    Args:
        learner: whose features they are.
        split: real data, tokenised or as pixels.
        precision: of the matrix products.
        on_batch: called with (rows done, rows in all) after each batch.
    """
    front, num_rows = learner.front, len(split.labels)
    device = next(chain(front.parameters(), front.buffers())).device
    order, parts, done = [], [], 0

    def vectors_of(rows: Tensor) -> Tensor:
        batch = collate(split, rows).to(device)
        with autocast(device, precision):
            return frozen_features(learner, batch.inputs, batch.mask).float().cpu()

    for rows, part in read_batches(learner, split, device, vectors_of):
        order.append(rows)
        parts.append(part)
        done += len(rows)
        on_batch(done, num_rows)
    return torch.cat(parts)[torch.cat(order).argsort()]
