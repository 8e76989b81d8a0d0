"""The outer loss: cross-entropy of a learner on real texts."""

import functools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..learners import first_order_attention, forward
from ..learners.encoder import EncoderConfig, Params
from ..learners.precision import Precision, autocast


def num_parts(device: torch.device) -> int:
    """In how many parts the outer batch is computed.

    On a CPU quarters take as long as the whole (within 2 % at 32 x 64 tokens, in fp32 and bf16)
    and need much less memory, which the values of inner steps are kept in.
    """
    return 4 if device.type == "cpu" else 1


def outer_losses(
    config: EncoderConfig,
    entry: Tensor,
    mask: Tensor,
    labels: Tensor,
    precision: Precision = "fp32",
    parts: int = 1,
) -> list[Callable[[Params], Tensor]]:
    """The mean cross-entropy of a batch as a sum over parts of it.

    Args:
        config: sizes of the encoder.
        entry: b x S x E, the embedded texts.
        mask: b x S, True where there is a token.
        labels: b, their classes.
        precision: of the products.
        parts: how many, at most b.

    Returns:
        Functions theta -> scalar.
    """
    attention = first_order_attention(entry.device)

    def loss(rows: slice, theta: Params) -> Tensor:
        with autocast(entry.device, precision):
            logits = forward(config, theta, entry[rows], mask[rows], attention=attention).logits
        return F.cross_entropy(logits.float(), labels[rows], reduction="sum") / len(labels)

    size = -(-len(labels) // parts)
    starts = range(0, len(labels), size)
    return [functools.partial(loss, slice(start, start + size)) for start in starts]
