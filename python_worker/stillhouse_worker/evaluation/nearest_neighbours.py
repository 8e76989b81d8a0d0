"""The k nearest neighbours among a few samples."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

# Numbers of neighbours that are tried on validation, as far as there are samples.
NEIGHBOURS = (1, 3, 5, 7, 9, 15, 25)


class NearestNeighbours(NamedTuple):
    """A classifier by the classes of the nearest samples.

    Attributes:
        vectors: fp32 [M, E].
        labels: int64 [M], 0 to C - 1.
        num_deciding: how many of the nearest decide, 1 to M.
    """

    vectors: Float[Tensor, "m e"]
    labels: Int[Tensor, " m"]
    num_deciding: Int[Tensor, ""]

    def logits(self, features: Float[Tensor, "n e"], num_classes: int) -> Float[Tensor, "n c"]:
        """Logarithms of the votes for each class, with one more for each, so that none is -inf.

        Of classes with as many votes the one with the nearer neighbours wins.
        """
        count = int(self.num_deciding)
        near = torch.cdist(features, self.vectors).topk(count, largest=False).indices
        # Less than a vote in all, and more the nearer.
        nearness = torch.linspace(1, 0, count + 1)[:-1] / (count + 1)
        votes = F.one_hot(self.labels[near], num_classes) * (1 + nearness)[:, None]
        return (votes.sum(1) + 1).log()


def searched_neighbours(
    samples: tuple[Float[Tensor, "m e"], Int[Tensor, " m"]],
    validation: tuple[Float[Tensor, "v e"], Int[Tensor, " v"]],
    num_classes: int,
    counts: Sequence[int] = NEIGHBOURS,
) -> NearestNeighbours:
    """The number of neighbours, of ``counts``, that is best on validation; of equals the least.

    Args:
        samples: features and labels.
        validation: the same of other rows.
        num_classes: C.
        counts: in rising order; the first is at most M.
    """
    features, labels = validation
    tried = [
        NearestNeighbours(*samples, torch.tensor(count))
        for count in counts
        if count <= len(samples[1])
    ]

    def accuracy(classifier: NearestNeighbours) -> float:
        right = classifier.logits(features, num_classes).argmax(-1) == labels
        return right.double().mean().item()

    return max(tried, key=accuracy)
