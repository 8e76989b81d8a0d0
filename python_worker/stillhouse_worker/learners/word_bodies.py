"""Networks of word vectors up to the features of their last layer."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from .dropout import Dropout


class TextCnn(nn.Module):
    """Convolutions over windows of words, each at its largest value in the text (Kim, 2014).

    Windows within the text count, and the first one where the text is shorter; so the padding of a
    batch changes nothing.

    Args:
        width: E, numbers per word.
        sizes: words per window.
        filters: per size.
        inner: width of a linear layer behind them; 0: none.
    """

    def __init__(self, width: int, sizes: Sequence[int], filters: int, inner: int = 0) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv2d(1, filters, (k, width)) for k in sizes)
        features = filters * len(sizes)
        self.inner = nn.Linear(features, inner) if inner else None
        self.num_features = inner or features

    def forward(
        self,
        entry: Float[Tensor, "b s e"],
        mask: Bool[Tensor, "b s"] | None,
        dropout: Dropout | None,
    ) -> Float[Tensor, "b f"]:
        """The features, of which dropout drops some."""
        maps = [_largest(cast(nn.Conv2d, part), entry, mask) for part in self.convolutions]
        features = torch.cat(maps, 1)
        if self.inner is not None:
            features = self.inner(features)
        return features if dropout is None else dropout.apply("features", features)


def _largest(convolution: nn.Conv2d, entry: Tensor, mask: Tensor | None) -> Tensor:
    """Of each filter the largest value over all windows, after ReLU: b x filters."""
    size = convolution.kernel_size[0]
    short = max(0, size - entry.shape[1])
    words = F.pad(entry.transpose(1, 2), (0, short))
    # Over all numbers of a word at once, this is the same convolution along one axis.
    weight = convolution.weight[:, 0].transpose(1, 2)
    values = F.relu(F.conv1d(words, weight, convolution.bias))
    if mask is not None:
        last = (mask.sum(1) - size).clamp(min=0)
        is_within = torch.arange(values.shape[2], device=values.device) <= last[:, None]
        values = values * is_within[:, None].to(values)
    return values.max(-1).values


# (what the gates are given, 2 x b x gates·hidden; the state) to the state, both directions at once.
State = tuple[Tensor, ...]


class Cell(NamedTuple):
    """A recurrent cell.

    Attributes:
        gates: of it.
        size: tensors of its state; the first one is its output.
        step: what it computes.
    """

    gates: int
    size: int
    step: Callable[[Tensor, State], State]


def _lstm_step(given: Tensor, state: State) -> State:
    enters, forgets, new, shows = given.chunk(4, -1)
    memory = torch.sigmoid(forgets) * state[1] + torch.sigmoid(enters) * torch.tanh(new)
    return torch.sigmoid(shows) * torch.tanh(memory), memory


# Elman's cell with tanh; that of Hochreiter and Schmidhuber with a forget gate, its gates in
# PyTorch's order.
RNN = Cell(1, 1, lambda given, _: (torch.tanh(given),))
LSTM = Cell(4, 2, _lstm_step)
_LAYERS = 2


class Recurrent(nn.Module):
    """Two layers that read a text in both directions; the features are their two last states.

    The parameters have the names and shapes of ``nn.RNN`` and ``nn.LSTM``, which are not used:
    neither cuDNN's kernels nor oneDNN's have a second derivative, and theirs read padding.

    Args:
        width: E, numbers per word.
        hidden: numbers per state and direction.
        cell: what each layer has.
    """

    def __init__(self, width: int, hidden: int, cell: Cell) -> None:
        super().__init__()
        self._hidden, self._cell = hidden, cell
        self.num_features = 2 * hidden
        for layer in range(_LAYERS):
            own = width if layer == 0 else 2 * hidden
            for suffix in _directions(layer):
                shapes = {"weight_ih": (own,), "weight_hh": (hidden,), "bias_ih": (), "bias_hh": ()}
                for name, rest in shapes.items():
                    empty = nn.Parameter(torch.empty(cell.gates * hidden, *rest))
                    self.register_parameter(f"{name}_{suffix}", empty)

    def forward(
        self,
        entry: Float[Tensor, "b s e"],
        mask: Bool[Tensor, "b s"] | None,
        dropout: Dropout | None,
    ) -> Float[Tensor, "b f"]:
        """The features; dropout is between the layers."""
        ahead, back = self._layer(0, entry, mask)
        values = torch.cat([ahead, back.flip(0)], -1).transpose(0, 1)
        if dropout is not None:
            values = dropout.apply("between layers", values)
        ahead, back = self._layer(1, values, mask)
        return torch.cat([ahead[-1], back[-1]], -1)

    def _layer(self, layer: int, values: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Outputs of both directions, each s x b x hidden in the order in which it reads."""
        given, products = [], []
        for suffix, part in zip(_directions(layer), (values, values.flip(1)), strict=True):
            bias = self._of(f"bias_ih_{suffix}") + self._of(f"bias_hh_{suffix}")
            given.append(F.linear(part, self._of(f"weight_ih_{suffix}"), bias).transpose(0, 1))
            products.append(self._of(f"weight_hh_{suffix}").t())
        weight = torch.stack(products)  # 2 x hidden x gates·hidden
        is_word = None if mask is None else _as_read(mask)
        empty = values.new_zeros(2, len(values), self._hidden)
        state, outputs = (empty,) * self._cell.size, []
        for at, gates in enumerate(torch.stack(given, 1).unbind(0)):
            moved = self._cell.step(torch.baddbmm(gates, state[0], weight), state)
            if is_word is not None:  # padding leaves the state as it is
                pairs = zip(moved, state, strict=True)
                moved = tuple(torch.where(is_word[at], new, old) for new, old in pairs)
            state = moved
            outputs.append(state[0])
        ahead, back = torch.stack(outputs, 1).unbind(0)
        return ahead, back

    def _of(self, name: str) -> Tensor:
        return cast(Tensor, getattr(self, name))


def _directions(layer: int) -> tuple[str, str]:
    return f"l{layer}", f"l{layer}_reverse"


def _as_read(mask: Bool[Tensor, "b s"]) -> Bool[Tensor, "s 2 b 1"]:
    return torch.stack([mask.t(), mask.flip(1).t()], 1)[..., None]
