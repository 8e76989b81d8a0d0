"""A step of parameters, or of their tangents, along gradients.

How far is a number, or a scalar tensor where the functions of a block are compiled: kernels are
made anew for every number, and learned rates are other ones at every outer step.
"""

import torch
from torch import Tensor

Distance = float | Tensor


def moved(tensor: Tensor, gradient: Tensor, distance: Distance) -> Tensor:
    """tensor + distance * gradient; the gradient may be of a lower precision."""
    if isinstance(distance, Tensor):
        return torch.addcmul(tensor, gradient.to(tensor), distance)
    return torch.add(tensor, gradient, alpha=distance)


def moved_by_product(tensor: Tensor, left: Tensor, right: Tensor, distance: Distance) -> Tensor:
    """tensor + distance * left right, all of one precision."""
    if isinstance(distance, Tensor):
        return torch.addcmul(tensor, left @ right, distance)
    return torch.addmm(tensor, left, right, alpha=distance)


def move(tensor: Tensor, gradient: Tensor, distance: Distance) -> None:
    """`moved` in place."""
    if isinstance(distance, Tensor):
        tensor.addcmul_(gradient.to(tensor), distance)
    else:
        tensor.add_(gradient, alpha=distance)


def move_by_product(tensor: Tensor, left: Tensor, right: Tensor, distance: Distance) -> None:
    """`moved_by_product` in place."""
    if isinstance(distance, Tensor):
        tensor.addcmul_(left @ right, distance)
    else:
        tensor.addmm_(left, right, alpha=distance)
