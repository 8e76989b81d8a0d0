"""The layers of an encoder of ``transformers`` as a function of their parameters.

The library's own module computes, with attention masks and relative positions as it makes them. Its
embeddings are taken out, so that it starts with what they would hand to it.
"""

import copy
import functools
import inspect
import math
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .dropout import Dropout
from .interface import Params
from .precision import Precision, low_backward_linear

# Names of the parameters of all layers, before the library's own.
LAYERS = "layers."


class LibraryEmbeddings(nn.Module):
    """The library's embeddings: words, and what the architecture adds to them.

    Args:
        module: the library's, which becomes its part ``own``.
        first_position: number of the first token's position, where positions have numbers.
    """

    def __init__(self, module: nn.Module, first_position: int) -> None:
        super().__init__()
        self.own = module
        self._first = first_position
        self._takes = set(inspect.signature(module.forward).parameters)
        types = getattr(module, "token_type_embeddings", None)
        if types is None or types.num_embeddings < 2:
            self._takes.discard("token_type_ids")
        self.requires_grad_(False)

    @property
    def word_embeddings(self) -> nn.Embedding:
        """One row per token of the vocabulary."""
        return next(part for part in self.own.modules() if isinstance(part, nn.Embedding))

    def forward(
        self,
        input_ids: Int[Tensor, "b s"],
        token_type_ids: Int[Tensor, "b s"] | None = None,
        position_ids: Int[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b s e"]:
        """Embed tokens; without positions, as the library numbers them."""
        if position_ids is not None:
            position_ids = position_ids + self._first
        given = {"token_type_ids": token_type_ids, "position_ids": position_ids}
        taken = {n: part for n, part in given.items() if part is not None and n in self._takes}
        return cast(Tensor, self.own(input_ids=input_ids, **taken))


class LayersOutput(NamedTuple):
    """What comes out of the layers.

    Attributes:
        hidden: b x S x E, of the last one.
        scores: logarithms of the attention of each layer, b x Hd x S x S, which are scores too; of
            a key that is masked or out of reach the least number. Empty unless asked for, and
            under dropout: the library hands out attention after it.
        firsts: b x E, the first token's vector behind each layer; as empty.
    """

    hidden: Tensor
    scores: tuple[Tensor, ...]
    firsts: tuple[Tensor, ...]


class LibraryLayers:
    """An encoder of the library without its embeddings and its parameters.

    Args:
        module: the whole encoder, which is taken apart; its parameters are
            `layer_params` of it from before.
        architecture: its ``model_type``.
    """

    def __init__(self, module: nn.Module, architecture: str) -> None:
        self.architecture, self.config = architecture, cast(Any, module).config
        module.embeddings = _Entered()
        for part in module.modules():
            for name, parameter in part.named_parameters(recurse=False):
                empty = nn.Parameter(parameter.detach().to("meta"), requires_grad=False)
                setattr(part, name, empty)
        self._module = module.eval()

    def run(
        self,
        params: Params,
        entry: Float[Tensor, "b s e"],
        mask: Bool[Tensor, "b s"] | None,
        *,
        is_scored: bool,
        dropout: Dropout | None = None,
        backward: Precision = "fp32",
    ) -> LayersOutput:
        """Run all layers; the arguments are as of `Learner.forward`.

        Args:
            params: with those of `LAYERS`; others are ignored.
            entry, mask, dropout, backward: see there.
            is_scored: whether scores and first vectors are wanted.
        """
        own = {n.removeprefix(LAYERS): p for n, p in params.items() if n.startswith(LAYERS)}
        options = {"output_attentions": is_scored, "output_hidden_states": is_scored}
        given = {"inputs_embeds": entry, "attention_mask": None if mask is None else mask.long()}
        module = self._as(dropout.probability if dropout else 0.0, backward)
        with dropout.of_global_generator(entry.device) if dropout else nullcontext():
            out = torch.func.functional_call(module, own, (), {**given, **options})
        if not is_scored:
            return LayersOutput(out.last_hidden_state, (), ())
        scores = () if dropout else tuple(scores_of(part) for part in out.attentions)
        firsts = tuple(part[:, 0] for part in out.hidden_states[1:])
        return LayersOutput(out.last_hidden_state, scores, firsts)

    def to(self, device: torch.device) -> "LibraryLayers":
        """The same on ``device``, where its buffers are needed."""
        other = copy.copy(self)
        other._module = copy.deepcopy(self._module)
        for part in other._module.modules():
            for name, buffer in part.named_buffers(recurse=False):
                part._buffers[name] = buffer.to(device)
        return other

    @functools.lru_cache(maxsize=8)  # noqa: B019  # few of these live, as long as their encoder
    def _as(self, dropout: float, backward: Precision) -> nn.Module:
        """The module with this dropout and these products; every one is made once."""
        module = copy.deepcopy(self._module)
        for part in module.modules():
            if isinstance(part, nn.Dropout):
                part.p = dropout
            if isinstance(getattr(part, "attention_dropout", None), float):
                part.attention_dropout = dropout  # type: ignore[assignment]
        if backward != "fp32":
            for linear in _linears(module):
                _lower(linear, backward)
        return module.train(dropout > 0)


def layer_params(module: nn.Module) -> Params:
    """The parameters of an encoder of the library, without those of its embeddings."""
    named = module.named_parameters()
    return {LAYERS + n: p.detach() for n, p in named if not n.startswith("embeddings.")}


def scores_of(probabilities: Tensor) -> Tensor:
    """Logarithms, whose second derivative is finite too: smaller shares count as the least one."""
    least = torch.finfo(probabilities.dtype).tiny ** 0.5
    is_seen = probabilities > least
    logs = torch.where(is_seen, probabilities, torch.ones_like(probabilities)).log()
    return torch.where(is_seen, logs, math.log(least))


class _Entered(nn.Module):
    """In the place of the embeddings: hands on what enters instead."""

    def forward(
        self, *_: Any, inputs_embeds: Tensor, mask: Tensor | None = None, **__: Any
    ) -> Tensor:
        # DeBERTa's embeddings alone are given a mask: those of padding are zero.
        return inputs_embeds if mask is None else inputs_embeds * mask[..., None].to(inputs_embeds)


def _linears(module: nn.Module) -> Iterator[nn.Linear]:
    return (part for part in module.modules() if isinstance(part, nn.Linear))


def _lower(linear: nn.Linear, precision: Precision) -> None:
    product = low_backward_linear(precision)
    # As an attribute of the module, it goes before the method of its class.
    setattr(linear, "forward", lambda x: product(x, linear.weight, linear.bias))  # noqa: B010
