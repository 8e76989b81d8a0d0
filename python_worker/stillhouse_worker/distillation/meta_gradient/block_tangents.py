"""Tangents of a block's values along a direction, as `block_push` computes them.

Every value that they need is in `Trace` and `Cotangents`, so that what `block_push` and
`block_pull` compute are tangents alone: twice the products of a plain run, and none whose result
is not wanted.
"""

from typing import NamedTuple

from torch import Tensor

from .block_values import Heads


class Parameter(NamedTuple):
    """A parameter and its tangent, neither of them copied."""

    value: Tensor
    tangent: Tensor

    def rows(self, span: slice) -> "Parameter":
        """Some of its rows."""
        return Parameter(self.value[span], self.tangent[span])


Parameters = dict[str, Parameter]


class NormTangent(NamedTuple):
    """Of `Normed`: of its rows, and of its scale, as the share by which that shrinks."""

    rows: Tensor
    drift: Tensor


class Tangents(NamedTuple):
    """Of `block.Trace`, with its shapes.

    Attributes:
        hidden: None where what entered does not depend on the direction.
        target: None where that does not depend on the direction.
    """

    hidden: Tensor | None
    heads: Heads
    context: Tensor
    attention_norm: NormTangent
    attended: Tensor
    up: Tensor
    norm: NormTangent
    target: Tensor | None


class Pushed(NamedTuple):
    """The result of `push`.

    Attributes:
        passed: M x rows x E, tangent of what the block passes on.
        target: M Hd x rows x S, tangent of the divergence's gradient in its labels; None without
            labels.
        rise: tangent of the divergence; None where it is the sum of ``target``.
        tangents: for `pull`.
    """

    passed: Tensor
    target: Tensor | None
    rise: Tensor | None
    tangents: Tangents
