"""What the labels of all blocks contribute to the products of an inner step."""

import torch
from torch import Tensor

from ..synthetic import DistilledData
from .block_tangents import Pushed
from .interface import StagedLoss
from .stages import StateProducts, has_state_loss, plus_first, state_products


class AttentionTangents:
    """Of attention labels, block after block; nothing without them."""

    def __init__(self) -> None:
        self._targets: list[Tensor] = []
        self._rises: list[Tensor] = []

    def push(self, pushed: Pushed) -> None:
        """The next block's."""
        if pushed.target is not None:
            self._targets.append(torch.unflatten(pushed.target, 0, (len(pushed.passed), -1)))
        if pushed.rise is not None:
            self._rises.append(pushed.rise)

    def whole(self) -> tuple[Tensor | None, list[Tensor]]:
        """The tangent of the gradient in all labels, M x L x Hd x Q x S, and that of the loss."""
        if not self._targets:
            return None, []
        targets = torch.stack(self._targets, 1)
        return targets, [torch.stack(self._rises).sum() if self._rises else targets.sum()]


class StateTangents:
    """Of hidden labels; nothing without them, and for blocks that do not count."""

    def __init__(self, loss: StagedLoss, data: DistilledData) -> None:
        self._loss, self._data = loss, data
        self._products: dict[int, StateProducts] = {}

    def push(self, index: int, passed: Tensor, tangent: Tensor) -> None:
        """A block's, which passes on M x rows x E with this tangent."""
        if has_state_loss(self._loss, self._data, index):
            self._products[index] = state_products(self._loss, self._data, index, passed, tangent)

    def pull(
        self, index: int, cotangent: Tensor | None, tangent: Tensor
    ) -> tuple[Tensor | None, Tensor]:
        """The gradient in what a block passes on, None where it is kept, and its tangent."""
        own = self._products.get(index)
        if own is None:
            return cotangent, tangent
        if cotangent is not None:
            cotangent = plus_first(cotangent, own.gradient)
        return cotangent, plus_first(tangent, own.tangent)

    def whole(self) -> tuple[Tensor | None, Tensor | None, list[Tensor]]:
        """Tangents of the gradients in all labels and weights, and those of the losses."""
        labels = self._data.hidden_labels
        if labels is None:
            return None, None, []
        states, weights = torch.zeros_like(labels.states), torch.zeros_like(labels.weights)
        for index, each in self._products.items():
            states[:, index], weights[:, index] = each.states, each.weights
        return states, weights, [each.rise for each in self._products.values()]
