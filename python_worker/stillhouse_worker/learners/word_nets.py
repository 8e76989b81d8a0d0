"""Networks of words: every weight is drawn, and distilled data enters as word vectors."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.func import functional_call

from .drawing import Drawing, draw_weights
from .dropout import Dropout
from .head import HeadInit
from .interface import AttentionSizes, Derivatives, Output, Params, ScoreRows
from .precision import Precision
from .word_bodies import LSTM, RNN, Recurrent, TextCnn

# Rows of padding and of unknown words, before those of the words.
NUM_SPECIAL = 2


class WordVectors(nn.Module):
    """The vector of each word; those of padding and of unknown words are zero.

    They are no parameters: neither distilled data nor training on full data moves them.

    Args:
        weight: V x E.
    """

    weight: Tensor

    def __init__(self, weight: Float[Tensor, "v e"]) -> None:
        super().__init__()
        self.register_buffer("weight", weight)

    def forward(self, input_ids: Int[Tensor, "b s"]) -> Float[Tensor, "b s e"]:
        """The vectors of words."""
        return F.embedding(input_ids, self.weight)


class WordNet(NamedTuple):
    """A network of words, a `Learner`.

    Attributes:
        front: the vectors; row 0 is padding, row 1 an unknown word.
        body: from b x s x e, a mask and a dropout to the features of the last layer, b x f; without
            values: its parameters are arguments.
        num_features: f.
        drawing: how weights are drawn by default.
        tokenizer: splits texts into the words of the vectors; of ``transformers``.
    """

    front: WordVectors
    body: nn.Module
    num_features: int
    drawing: Drawing
    tokenizer: Any

    @property
    def has_dropout(self) -> bool:
        """Before the last layer, or between recurrent ones."""
        return True

    @property
    def attention(self) -> AttentionSizes:
        """It has no attention."""
        return AttentionSizes(0, 0)

    def entry_shape(self, length: int) -> tuple[int, ...]:
        """S x E."""
        return (length, self.front.weight.shape[1])

    def embed(self, *inputs: Tensor) -> Tensor:
        """The vectors of words; the first of ``inputs`` are their numbers, b x s."""
        vectors: Tensor = self.front(inputs[0])
        return vectors

    def draw(self, num_classes: int, init: HeadInit, generator: torch.Generator) -> Params:
        """Every weight anew.

        Args:
            num_classes: C; two classes have two logits, so that the larger one decides and each
                class has its own label.
            init: ``default`` is that of the network's authors; ``normal`` is N(0, 0.02) with zero
                biases.
            generator: a CPU generator.
        """
        shapes = {name: parameter.shape for name, parameter in self.body.named_parameters()}
        shapes |= {"out.weight": torch.Size((num_classes, self.num_features))}
        shapes |= {"out.bias": torch.Size((num_classes,))}
        drawn = draw_weights(shapes, "normal" if init == "normal" else self.drawing, generator)
        return {name: tensor.to(self.front.weight.device) for name, tensor in drawn.items()}

    def forward(
        self,
        theta: Params,
        entry: Float[Tensor, "b s e"],
        mask: Bool[Tensor, "b s"] | None = None,
        *,
        derivatives: Derivatives = 2,
        score_rows: ScoreRows = "first",
        dropout: Dropout | None = None,
        backward: Precision = "fp32",
    ) -> Output:
        """Logits of texts; what is about attention means nothing here."""
        own = {name: tensor for name, tensor in theta.items() if not name.startswith("out.")}
        features = functional_call(self.body, own, (entry, mask, dropout))
        return Output(F.linear(features, theta["out.weight"], theta["out.bias"]))

    def to(self, device: torch.device) -> "WordNet":
        """The same with its vectors on ``device``."""
        return self._replace(front=WordVectors(self.front.weight.to(device)))


def make_word_net(name: str, vectors: Float[Tensor, "v e"], tokenizer: Any = None) -> WordNet:
    """A network by its name.

    Args:
        name: one of `WORD_NET_NAMES`.
        vectors: of words, without those of padding and unknown words.
        tokenizer: gives their rows; None where no text is read.
    """
    width = vectors.shape[1]
    kind = _KINDS[name]
    with torch.device("meta"):
        body = kind.body(width)
    weight = torch.cat([torch.zeros(NUM_SPECIAL, width), vectors])
    return WordNet(WordVectors(weight), body, body.num_features, kind.drawing, tokenizer)


def num_parameters(name: str, width: int, num_classes: int) -> int:
    """Numbers in theta of a network for vectors of this width."""
    with torch.device("meta"):
        body = _KINDS[name].body(width)
    own = sum(parameter.numel() for parameter in body.parameters())
    return own + (body.num_features + 1) * num_classes


class _Kind(NamedTuple):
    body: Callable[[int], TextCnn | Recurrent]
    drawing: Literal["xavier", "uniform"] = "xavier"


_KINDS: dict[str, _Kind] = {
    # Those of Sucholutsky and Schonlau (2021).
    "textcnn": _Kind(lambda width: TextCnn(width, (3, 4, 5), 100)),
    "textrnn": _Kind(lambda width: Recurrent(width, 100, RNN)),
    "textlstm": _Kind(lambda width: Recurrent(width, 100, LSTM)),
    # That of Li and Li (2021), which starts as PyTorch's layers do.
    "textcnn-li": _Kind(lambda width: TextCnn(width, (2, 3), 128, inner=256), "uniform"),
}
WORD_NET_NAMES = tuple(_KINDS)
