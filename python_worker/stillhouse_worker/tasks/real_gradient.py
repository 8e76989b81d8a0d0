"""The gradient of a learner that is trained on real samples."""

from functools import partial

import torch
from torch import Tensor

from ..context.bench import Bench
from ..datasets.augmentation import augmented
from ..distillation.outer_loss import num_parts, outer_losses
from ..distillation.summed_gradient import summed_gradient
from ..learners.dropout import Dropout
from ..learners.interface import Params
from ..learners.lanes import num_lanes

# Beside the names of theta: what enters the first layer.
_ENTRY = "entry"


def follow_real_loss(
    bench: Bench,
    theta: Params,
    rows: Tensor,
    draws: torch.Generator,
    scaler: torch.amp.GradScaler,
    dropout: Dropout | None = None,
) -> float:
    """Set the gradients of theta and the learner's front to those of rows of train.

    Args:
        bench: whose learner it is; where its front is trained, so are its parameters.
        theta: leaves.
        rows: of train; what counts is their mean cross-entropy.
        draws: of the augmentation.
        scaler: of fp16; the gradients are those of the scaled loss.
        dropout: of the learner.

    Returns:
        The mean cross-entropy, in nats.
    """
    learner, settings = bench.learner, bench.task.settings
    kind = settings.outer.augmentation
    batch = augmented(bench.splits["train"], rows, kind, draws).to(bench.device)
    entry = learner.embed(*batch.inputs)
    count = num_parts(bench.device, len(rows))

    def part(index: int, values: Params) -> Tensor:
        losses = outer_losses(
            learner,
            values.get(_ENTRY, entry),
            batch.mask,
            batch.labels,
            settings.precision,
            count,
            dropout,
        )
        return scaler.scale(losses[index]({name: values[name] for name in theta}))

    # Parts meet in the front alone, which one thread goes back through.
    values = theta | {_ENTRY: entry} if entry.requires_grad else theta
    parts = [partial(part, index) for index in range(count)]
    loss, grads = summed_gradient(parts, values, num_lanes(learner, bench.device))
    for parameter, grad in zip(theta.values(), grads, strict=False):
        parameter.grad = grad
    if entry.requires_grad:
        entry.backward(grads[-1])  # type: ignore[no-untyped-call]
    return loss.item() / scaler.get_scale()
