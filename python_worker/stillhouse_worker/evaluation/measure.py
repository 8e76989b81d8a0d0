"""Measure one learner on a split."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..datasets import RealSplit, collate
from ..learners import Learner, predict
from ..learners.interface import Params
from ..learners.precision import Precision, autocast
from .reading import read_batches


class Measures(NamedTuple):
    """A learner on a split: fractions in 0..1, loss in nats.

    Attributes:
        confusion: C x C rows by true class and predicted class, row after row.
    """

    accuracy: float
    loss: float
    macro_f1: float
    confusion: tuple[int, ...]


def measure(
    learner: Learner,
    params: Params,
    split: RealSplit,
    precision: Precision,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> Measures:
    """Accuracy, mean cross-entropy and macro F1 of a learner.

    Args:
        learner: what theta is of.
        params: theta.
        split: real data, tokenised or as pixels.
        precision: of the matrix products.
        on_batch: called with (rows done, rows in all) after each batch.
    """
    num_rows = len(split.labels)
    counts: list[Tensor] = []
    loss, done = 0.0, 0
    for rows, logits in _batches(learner, params, split, precision):
        labels = split.labels[rows]
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
        counts.append(_confusion(logits, labels, logits.shape[1]))
        done += len(rows)
        on_batch(done, num_rows)
    return _measures(torch.stack(counts).sum(0), loss / num_rows)


def measures_of(
    logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"], num_classes: int
) -> Measures:
    """The same measures of logits that are there, those of every row of a split."""
    return _measures(
        _confusion(logits, labels, num_classes), F.cross_entropy(logits, labels).item()
    )


def _measures(confusion: Int[Tensor, "c c"], loss: float) -> Measures:
    accuracy = confusion.diagonal().sum().item() / confusion.sum().item()
    return Measures(accuracy, loss, macro_f1(confusion), tuple(confusion.flatten().tolist()))


def _confusion(logits: Tensor, labels: Tensor, num_classes: int) -> Int[Tensor, "c c"]:
    pairs = labels * num_classes + logits.argmax(-1)
    return torch.bincount(pairs, minlength=num_classes**2).view(num_classes, num_classes)


def logits_of(
    learner: Learner, params: Params, split: RealSplit, precision: Precision = "fp32"
) -> Float[Tensor, "n c"]:
    """Logits of every row, in the order of the rows, on the CPU."""
    rows, parts = zip(*_batches(learner, params, split, precision), strict=True)
    logits = torch.cat(parts)
    return logits[torch.cat(rows).argsort()]


def _batches(
    learner: Learner, params: Params, split: RealSplit, precision: Precision
) -> Iterator[tuple[Tensor, Tensor]]:
    """Row indices and their fp32 logits, both on the CPU, longest rows first."""
    device = next(iter(params.values())).device

    def logits_of_rows(rows: Tensor) -> Tensor:
        batch = collate(split, rows).to(device)
        with autocast(device, precision):
            logits = predict(learner, params, batch.inputs, batch.mask)
        return logits.float().cpu()

    return read_batches(learner, split, device, logits_of_rows)


def macro_f1(confusion: Int[Tensor, "c c"]) -> float:
    """Mean over classes of F1 = 2 tp / (rows of the class + predictions of it); rows are truth."""
    true_positives = confusion.diagonal().double()
    counted = (confusion.sum(0) + confusion.sum(1)).double()
    return (2 * true_positives / counted.clamp(min=1)).mean().item()
