"""Features of the frozen encoder for whole splits, computed once for the tasks of an experiment."""

import time
from typing import Any, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from ..context.bench import Bench
from ..context.reporting import Stopped
from ..datasets.rows import SplitName
from .coresets import features_of


class SplitFeatures(NamedTuple):
    """What the frozen encoder hands to a head for every row of a split.

    Attributes:
        vectors: fp32 [n, E], on the CPU.
        labels: their classes, 0 to C - 1.
        seconds: that computing them took, also where they were computed for an earlier task.
    """

    vectors: Float[Tensor, "n e"]
    labels: Int[Tensor, " n"]
    seconds: float


# Those of one experiment: a worker's next task is most often of the same one.
_held: tuple[Any, dict[SplitName, SplitFeatures]] = (None, {})


def split_features(bench: Bench, split: SplitName) -> SplitFeatures:
    """Features of a split of ``bench``.

    Raises:
        Stopped: a stop was requested.
    """
    global _held
    settings = bench.task.settings
    # The head plays no part in them.
    model = (settings.model.fingerprint, settings.model.pooling)
    subject = (settings.data, model, settings.precision, settings.device)
    if _held[0] != subject:
        _held = (subject, {})
    if split not in _held[1]:
        _held[1][split] = _computed(bench, split)
    return _held[1][split]


def _computed(bench: Bench, split: SplitName) -> SplitFeatures:
    reporter, rows = bench.task.reporter, bench.splits[split]

    def on_batch(done: int, total: int) -> None:
        if reporter.stop_requested():
            raise Stopped
        reporter.progress(f"reading {split}", done, total, {})

    started = time.perf_counter()
    vectors = features_of(bench.learner, rows, bench.task.settings.precision, on_batch)
    return SplitFeatures(vectors, rows.labels, time.perf_counter() - started)
