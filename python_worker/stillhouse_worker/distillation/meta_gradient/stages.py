"""The stages of the inner loss that autograd differentiates: the head, and hidden labels.

They are small beside the blocks. The tangents of the gradients along a direction are the gradients
of the rise along it, since second derivatives are symmetric. Forward mode would load PyTorch's
compiler here, for seconds.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ...learners.interface import Params, is_of_head
from ..inner import leaves
from ..synthetic import DistilledData
from .interface import StagedLoss


class HeadProducts(NamedTuple):
    """The contribution of the head.

    Attributes:
        tangent: M x rows x E, of the gradient in the output of the last block.
        class_labels: tangent of the gradient in them.
        rise: tangent of the cross-entropy.
        through: of that, what comes through the encoder.
    """

    tangent: Tensor
    class_labels: Tensor
    rise: Tensor
    through: Tensor


class StateProducts(NamedTuple):
    """The contribution of the hidden labels of a block.

    Attributes:
        gradient: M x E, in the first token's vector behind the block.
        tangent: of that.
        states, weights: tangents of the gradients in them, M x E and M.
        rise: tangent of the loss.
    """

    gradient: Tensor
    tangent: Tensor
    states: Tensor
    weights: Tensor
    rise: Tensor


def of_head(params: Params) -> Params:
    """The parameters of the head."""
    return {name: tensor for name, tensor in params.items() if is_of_head(name)}


def head_gradient(
    loss: StagedLoss, theta: Params, hidden: Tensor, labels: Tensor
) -> tuple[Tensor, Params, Tensor]:
    """The cross-entropy, and its gradients in the head's parameters and in ``hidden``."""
    params, hidden = leaves(of_head(theta)), hidden.detach().requires_grad_()
    with torch.enable_grad():
        value = loss.head(params, hidden, labels)
    *gradients, along = torch.autograd.grad(value, [*params.values(), hidden])
    return value.detach(), dict(zip(params, gradients, strict=True)), along


def head_products(
    loss: StagedLoss,
    theta: Params,
    direction: Params,
    entered: tuple[Tensor, Tensor],
    labels: Tensor,
    distance: float | None,
) -> HeadProducts:
    """See there; moves the head's part of the direction as `pull` does.

    Args:
        loss, theta, direction: what is differentiated, where, and along what.
        entered: the output of the last block, and its tangent.
        labels: class labels.
        distance: as of `pull`.
    """
    v, (hidden, tangent) = of_head(direction), entered
    params, hidden = leaves(of_head(theta)), hidden.detach().requires_grad_()
    labels = labels.detach().requires_grad_()
    entries = [*params.values(), hidden]
    with torch.enable_grad():
        value = loss.head(params, hidden, labels)
        gradients = torch.autograd.grad(value, entries, create_graph=True)
        along = zip(gradients, [*v.values(), tangent], strict=True)
        shares = [(gradient * each).sum() for gradient, each in along]
        rise = torch.stack(shares).sum()
    moving = [] if distance is None else list(params.values())
    tangent, class_labels, *moved = torch.autograd.grad(rise, [hidden, labels, *moving])
    for tensor, gradient in zip(v.values(), moved, strict=False):
        tensor.add_(gradient, alpha=distance)
    return HeadProducts(tangent, class_labels, rise.detach(), shares[-1].detach())


def has_state_loss(loss: StagedLoss, data: DistilledData, index: int) -> bool:
    """Whether the hidden labels of a block count in this inner step."""
    return data.hidden_labels is not None and index in loss.labelled_layers


def state_gradient(
    loss: StagedLoss, data: DistilledData, index: int, passed: Tensor
) -> tuple[Tensor, Tensor]:
    """The loss of a block's hidden labels, and its gradient in the first token's vector, M x E.

    Args:
        loss, data, index: for which `has_state_loss`.
        passed: M x rows x E, what the block passes on.
    """
    assert data.hidden_labels is not None
    first = passed[:, 0].detach().requires_grad_()
    with torch.enable_grad():
        value = loss.of_states(first, *data.hidden_labels.of_block(index))
    (gradient,) = torch.autograd.grad(value, first)
    return value.detach(), gradient


def state_products(
    loss: StagedLoss, data: DistilledData, index: int, passed: Tensor, tangent: Tensor
) -> StateProducts:
    """See there; the arguments are as of `state_gradient`, with the tangent of ``passed``."""
    assert data.hidden_labels is not None
    parts = (passed[:, 0], *data.hidden_labels.of_block(index))
    first, states, weights = (part.detach().requires_grad_() for part in parts)
    with torch.enable_grad():
        value = loss.of_states(first, states, weights)
        (gradient,) = torch.autograd.grad(value, first, create_graph=True)
        rise = (gradient * tangent[:, 0]).sum()
    along, of_states, of_weights = torch.autograd.grad(rise, [first, states, weights])
    return StateProducts(gradient.detach(), along, of_states, of_weights, rise.detach())


def plus_first(values: Tensor, first: Tensor) -> Tensor:
    """M x rows x E, a copy of ``values`` with M x E added to the first row of each sample."""
    values = values.clone()
    values[:, 0] += first
    return values
