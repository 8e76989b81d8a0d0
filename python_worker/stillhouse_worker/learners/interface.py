"""The interface of every learner: a function of its parameters theta, from an entry to logits."""

from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from .dropout import Dropout
from .head import HeadInit
from .precision import Precision

# theta: every parameter that an inner step moves, by its name.
Params = dict[str, Tensor]


def is_of_head(name: str) -> bool:
    """Whether the parameter of this name is the head's, and not the encoder's."""
    return name.startswith("head.")


# How many times the caller differentiates the output in theta at most. With one, kernels without a
# second derivative serve, and neither scores nor hidden vectors have to be there.
Derivatives = Literal[1, 2]

# Which rows of the last attention layer's scores are computed. Where only its first token reaches
# the head, the other rows cost extra and are only needed for attention labels of all tokens.
ScoreRows = Literal["first", "all"]


class Output(NamedTuple):
    """The output of a learner for b samples.

    Attributes:
        logits: b x C.
        scores: one tensor b x Hd x S x S per attention layer, before the softmax over keys; the
            last may be b x Hd x 1 x S where the head is given the first token and not all rows were
            asked for. Empty without attention layers, or where `Derivatives` let them be left out.
        hidden: b x E behind each of these layers, of the first token; as empty as the scores.
    """

    logits: Float[Tensor, "b c"]
    scores: tuple[Tensor, ...] = ()
    hidden: tuple[Tensor, ...] = ()


class AttentionSizes(NamedTuple):
    """How many attention layers and heads per layer a learner has; zeros without attention."""

    num_layers: int
    num_heads: int


@runtime_checkable
class Learner(Protocol):
    """What is trained on distilled data. All methods but `to` are functions of their arguments.

    Distilled data enters at the *entry*: vectors for the first block of an encoder, pixels for a
    network of images. Real data comes there through `front`.
    """

    @property
    def front(self) -> nn.Module:
        """What lies before the entry, in evaluation mode and without gradients.

        Learners that are trained on distilled data share it; training on full data moves it too.
        """

    @property
    def attention(self) -> AttentionSizes:
        """The sizes of attention labels."""

    @property
    def has_dropout(self) -> bool:
        """Whether its architecture has a place where values can be dropped."""

    def entry_shape(self, length: int) -> tuple[int, ...]:
        """The shape of one sample at the entry; ``length`` counts its tokens, if it has such."""

    def embed(self, *inputs: Tensor) -> Tensor:
        """From ``Batch.inputs`` to the entry, b x `entry_shape`."""

    def draw(self, num_classes: int, init: HeadInit, generator: torch.Generator) -> Params:
        """theta_0, on the device of the learner.

        Args:
            num_classes: C.
            init: distribution of what is drawn.
            generator: a CPU generator, so that a seed draws the same on every device.
        """

    def forward(
        self,
        theta: Params,
        entry: Tensor,
        mask: Bool[Tensor, "b s"] | None = None,
        *,
        derivatives: Derivatives = 2,
        score_rows: ScoreRows = "first",
        dropout: Dropout | None = None,
        backward: Precision = "fp32",
    ) -> Output:
        """Run the learner from its entry.

        Args:
            theta: its parameters.
            entry: b x `entry_shape`.
            mask: True where there is a token; None where every position counts.
            derivatives: see `Derivatives`.
            score_rows: see `ScoreRows`.
            dropout: what drops values wherever the architecture has dropout; None: nothing.
            backward: of the products with weights in the backward pass; see `low_backward_linear`.
        """

    def to(self, device: torch.device) -> "Learner":
        """The same learner with its tensors on ``device``."""


@torch.no_grad()
def predict(
    learner: Learner,
    theta: Params,
    inputs: tuple[Tensor, ...],
    mask: Bool[Tensor, "b s"] | None,
) -> Float[Tensor, "b c"]:
    """Logits of real samples: ``inputs`` and ``mask`` are those of a batch."""
    return learner.forward(theta, learner.embed(*inputs), mask, derivatives=1).logits
