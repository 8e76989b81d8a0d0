"""The values of a transformer block's forward and backward passes, and their sizes."""

from typing import NamedTuple

from torch import Tensor

from ...learners.dropout import Dropout
from ...learners.encoder_config import EncoderConfig
from ...learners.interface import Params
from ...learners.precision import Precision
from ..losses import AttentionLoss


class Block(NamedTuple):
    """The properties of a block that are the same in every pass.

    Attributes:
        config: sizes of the encoder.
        precision: of the products with weights in the backward pass; see `low_backward_linear`.
        passes_first: only its first row is passed on, as the last block does where the head is
            given no other.
        attention_weight: what the divergence from its attention labels, summed over every element,
            counts.
        attention_loss: which divergence.
    """

    config: EncoderConfig
    precision: Precision
    passes_first: bool
    attention_weight: float
    attention_loss: AttentionLoss = "kl"

    @property
    def query_scale(self) -> float:
        """The factor of the queries."""
        return (self.config.width // self.config.num_heads) ** -0.5


class Normed(NamedTuple):
    """Rows with mean 0 and variance 1, and what they were multiplied by for it."""

    rows: Tensor
    scale: Tensor


class Masks(NamedTuple):
    """The factors of what dropout leaves, by the values that they multiply.

    Attributes:
        attention: M Hd x rows x S, of the probabilities.
        attention_out, down: M rows x E, of what enters the two normalisations from the sublayers.
    """

    attention: Tensor
    attention_out: Tensor
    down: Tensor

    @classmethod
    def drawn(cls, dropout: Dropout | None, block: Block, hidden: Tensor) -> "Masks | None":
        """Those of a block that M x S x E enters; the same whenever they are drawn."""
        if dropout is None:
            return None
        (num_samples, length, width), heads = hidden.shape, block.config.num_heads
        rows = 1 if block.passes_first else length
        out = (num_samples, rows, width)
        return cls(
            dropout.mask("attention", (num_samples, heads, rows, length), hidden).flatten(0, 1),
            dropout.mask("attention_norm", out, hidden).flatten(0, 1),
            dropout.mask("norm", out, hidden).flatten(0, 1),
        )


class Heads(NamedTuple):
    """Query, key and value of all heads, of some, or tangents of these or gradients in them.

    Attributes:
        query: M Hd x rows x d; scaled.
        key, value: M Hd x S x d.
    """

    query: Tensor
    key: Tensor
    value: Tensor


class Labelled(NamedTuple):
    """The dropout and the labels of heads.

    Attributes:
        mask: the factors of the probabilities, M Hd x rows x S; None without dropout.
        target: labels, M Hd x Q x S log-probabilities, or k of them, see `block_attention`; None
            without.
        moved: tangent of k; None where it does not depend on the direction.
    """

    mask: Tensor | None
    target: Tensor | None
    moved: Tensor | None = None


class Trace(NamedTuple):
    """The values of a forward pass. Rows are those that a part of the block computes.

    The probabilities are not among them: each pass computes them again, see `block_tiles`.

    Attributes:
        hidden: M S x E, what entered.
        heads: what attends to what.
        context: M rows x E, what the heads pass on.
        attention_norm, norm: the two normalisations.
        attended: M rows x E, what the feed-forward part starts from.
        up: M rows x F, before the activation.
        target: k of its attention labels, M Hd x Q x S, see `block_attention`; None without.
        masks: of dropout; None without.
    """

    hidden: Tensor
    heads: Heads
    context: Tensor
    attention_norm: Normed
    attended: Tensor
    up: Tensor
    norm: Normed
    target: Tensor | None
    masks: Masks | None = None

    @property
    def labelled(self) -> Labelled:
        """What belongs to the heads."""
        return Labelled(None if self.masks is None else self.masks.attention, self.target)

    def attention_out_left(self, values: Tensor) -> Tensor:
        """What dropout leaves of M rows x E from the attention sublayer, or of gradients in it."""
        return values if self.masks is None else values * self.masks.attention_out

    def down_left(self, values: Tensor) -> Tensor:
        """The same of what the feed-forward sublayer adds, M rows x E."""
        return values if self.masks is None else values * self.masks.down


class Cotangents(NamedTuple):
    """The values of a backward pass: the gradient of the loss in each value of the block.

    Attributes:
        passed: M rows x E, in what the block passed on.
        down: M rows x E, in what entered the second normalisation.
        inner: M rows x F, in the activation.
        attended: M rows x E, in what the feed-forward part starts from.
        attention_out: M rows x E, in what entered the first normalisation.
        context: M Hd x rows x d.
        projected: in query, key and value: all three, M S x 3E, or where there are fewer queries,
            query, M rows x E, and the other two, M S x 2E.
    """

    passed: Tensor
    down: Tensor
    inner: Tensor
    attended: Tensor
    attention_out: Tensor
    context: Tensor
    projected: tuple[Tensor, ...]


class KeptHeads(NamedTuple):
    """The values with which attention need not be computed again.

    Attributes:
        context, target: of `Trace`.
        projected: of `Cotangents`.
    """

    context: Tensor
    target: Tensor | None
    projected: tuple[Tensor, ...]


class Narrow(NamedTuple):
    """The values as narrow as what a block passes on that cost a product with a weight each.

    Who keeps these computes half of the others again; they take a fifth of the memory of all, and
    with the heads two fifths.

    Attributes:
        attention_norm, norm: of `Trace`.
        passed, attended, context: of `Cotangents`.
        heads: None where attention is computed again.
    """

    attention_norm: Normed
    norm: Normed
    passed: Tensor
    attended: Tensor
    context: Tensor
    heads: KeptHeads | None

    @classmethod
    def of(cls, trace: Trace, cotangents: Cotangents, with_heads: bool) -> "Narrow":
        """The narrow values among all values of a forward and a backward pass."""
        heads = KeptHeads(trace.context, trace.target, cotangents.projected)
        return cls(
            trace.attention_norm,
            trace.norm,
            cotangents.passed,
            cotangents.attended,
            cotangents.context,
            heads if with_heads else None,
        )


class Forward(NamedTuple):
    """The result of a forward pass.

    Attributes:
        passed: M x rows x E, what the block passes on.
        divergence: weighted, of its attention from the labels; a scalar, None without labels.
        trace: see there.
    """

    passed: Tensor
    divergence: Tensor | None
    trace: Trace


class Backward(NamedTuple):
    """The result of a backward pass.

    Attributes:
        entered: M x S x E, gradient in what entered the block; None when not wanted.
        cotangents: see there.
        trained: the parameters after a step of gradient descent; empty when not wanted.
    """

    entered: Tensor | None
    cotangents: Cotangents
    trained: Params


def narrow_numel(block: Block, hidden: Tensor) -> int:
    """Elements of `Narrow`, but for the scales."""
    num_samples, length, width = hidden.shape
    return 5 * num_samples * (1 if block.passes_first else length) * width


def heads_numel(block: Block, hidden: Tensor, target: Tensor | None) -> int:
    """Elements of `KeptHeads`; arguments of `run_forward`."""
    num_samples, length, width = hidden.shape
    rows = 1 if block.passes_first else length
    scored = rows if target is None else max(rows, target.shape[-2])
    own = 0 if target is None else target.numel()
    return num_samples * (rows + scored + 2 * length) * width + own


def kept_numel(
    block: Block, params: Params, hidden: Tensor, target: Tensor | None, is_masked: bool
) -> int:
    """Elements of `Trace` and `Cotangents`, but for the scales; arguments of `run_forward`.

    ``is_masked``: whether there is dropout.
    """
    num_samples, length, width = hidden.shape
    rows = 1 if block.passes_first else length
    scored = rows if target is None else max(rows, target.shape[-2])
    expanded = 2 * rows * len(params["up.bias"])
    others = (9 * rows + 2 * scored + 5 * length) * width
    masks = (block.config.num_heads * length + 2 * width) * rows if is_masked else 0
    own = 0 if target is None else target.numel()
    return num_samples * (expanded + others + masks) + own
