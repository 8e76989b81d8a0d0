"""The memory layout of a block's values: heads, first rows, query beside key and value.

The names of local tensors of a block end in their axes: m samples, q rows of queries, s keys,
e of E, f of F, d of E / Hd; h of M Hd, the heads of all samples; r of M q, the rows of all samples
one below the other. What is passed between functions has its shape in their docstrings.
"""

import torch
from torch import Tensor


def split_heads(x: Tensor, heads: int) -> Tensor:
    """M x rows x E -> M Hd x rows x d."""
    split = x.reshape(*x.shape[:2], heads, x.shape[-1] // heads)
    return split.transpose(1, 2).flatten(0, 1)


def merge_heads(x: Tensor, heads: int) -> Tensor:
    """M Hd x rows x d -> M x rows x E."""
    return torch.unflatten(x, 0, (-1, heads)).transpose(1, 2).flatten(2)


def add_rows(left: Tensor, right: Tensor) -> Tensor:
    """The sum of two stacks of matrices, one of which has only the first rows."""
    few, many = (left, right) if left.shape[1] < right.shape[1] else (right, left)
    many[:, : few.shape[1]] += few
    return many


def join_parts(parts: list[Tensor]) -> tuple[Tensor, ...]:
    """Of query, key and value, M x rows x E, those that have equal rows side by side."""
    query, *others = (part.flatten(0, 1) for part in parts)
    if len(query) == len(others[0]):
        return (torch.cat([query, *others], -1),)
    return query, torch.cat(others, -1)


def weight_spans(projected: tuple[Tensor, ...]) -> list[slice]:
    """The rows of the weight that made each part of `join_parts`."""
    first = projected[0].shape[-1]
    return [slice(0, first), slice(first, None)][: len(projected)]


def inputs_of(projected: tuple[Tensor, ...], hidden: Tensor, num_samples: int) -> list[Tensor]:
    """The rows that each part of `join_parts` was made from, of M S x E."""
    if len(projected) == 1:
        return [hidden]
    rows = len(projected[0]) // num_samples
    return [first_rows(hidden, num_samples, rows), hidden]


def first_rows(x: Tensor, num_samples: int, rows: int) -> Tensor:
    """M S x E -> M rows x E."""
    return torch.unflatten(x, 0, (num_samples, -1))[:, :rows].flatten(0, 1)


def sum_of(backs: list[Tensor], num_samples: int) -> Tensor:
    """M x S x E from what came back through each part of `join_parts`."""
    *queries, total = (torch.unflatten(back, 0, (num_samples, -1)) for back in backs)
    for query in queries:
        total[:, : query.shape[1]] += query
    return total
