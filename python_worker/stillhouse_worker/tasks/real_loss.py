"""The loss of a learner that is trained on real samples."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..context.bench import Bench
from ..datasets.augmentation import augmented
from ..learners.dropout import Dropout
from ..learners.interface import Params
from ..learners.precision import autocast


def real_loss(
    bench: Bench, theta: Params, rows: Tensor, draws: torch.Generator, dropout: float = 0.0
) -> Tensor:
    """The mean cross-entropy of these rows of train, augmented by ``draws``, under dropout."""
    learner, settings = bench.learner, bench.task.settings
    precision, kind = settings.precision, settings.outer.augmentation
    batch = augmented(bench.splits["train"], rows, kind, draws).to(bench.device)
    with autocast(bench.device, precision):
        logits = learner.forward(
            theta,
            learner.embed(*batch.inputs),
            batch.mask,
            derivatives=1,
            dropout=Dropout(dropout) if dropout else None,
        ).logits
    return F.cross_entropy(logits.float(), batch.labels)
