"""Forward mode over reverse mode, block by block, with no graph at all.

A step is swept twice. Forward: every block is run with its tangents along v. Backward: the
cotangents come back through the blocks with theirs, which are the products. What a block's way back
needs is kept as far as memory allows; of the others only what enters them, and they are run again.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from ...learners.encoder import Params
from ...learners.learner import block_params
from ..inner import inner_gradient
from ..synthetic import DistilledData, Phi
from .dual_block import Block, Parameters, Pushed, Saved, pull, push
from .duals import Dual, Parameter
from .interface import MetaGradient, MetaProblem
from .walk import Products, Wanted, walk

# Their stubs also cover the form with auxiliary output, which has three parts.
jvp = cast(Callable[..., tuple[Any, Any]], torch.func.jvp)
vjp = cast(Callable[..., tuple[Any, Callable[..., Any]]], torch.func.vjp)


class _Step(NamedTuple):
    problem: MetaProblem
    inputs: DistilledData
    theta: Params

    def gradient(self) -> tuple[Tensor, list[Tensor]]:
        return inner_gradient(self.problem.inner_loss, self.inputs, self.theta)

    def products(self, v: list[Tensor], lr: float, wanted: Wanted) -> Products:
        data = self.inputs.map(Tensor.detach)
        with torch.no_grad():
            sweep = _Sweep(self.problem, data, self.theta, dict(zip(self.theta, v, strict=True)))
            parts, slope = sweep.run(-lr if wanted.next_v else None)
        learned = [part is not None and part.requires_grad for part in self.inputs[:3]]
        return Products(
            [
                p
                for p, is_learned in zip(parts, learned, strict=True)
                if is_learned and p is not None
            ],
            slope if wanted.slope else None,
        )


def blockwise(problem: MetaProblem, phi: Phi, theta: Params) -> MetaGradient:
    """Products by `push` and `pull` of each block; see `walk` and `MetaProblem`."""
    return walk(problem, phi, theta, _Step)


class _Sweep:
    """Through the blocks and back, at one theta along one v."""

    def __init__(self, problem: MetaProblem, data: DistilledData, theta: Params, v: Params) -> None:
        self._problem, self._data, self._theta, self._v = problem, data, theta, v
        self._push, self._pull = _block_functions(problem.compiled)
        self._entries: list[Dual] = []
        self._saved: dict[int, Saved] = {}

    def run(self, distance: float | None) -> tuple[tuple[Tensor, Tensor, Tensor | None], Tensor]:
        """Tangents of the gradients in x, labels and attention labels; of the loss. Moves v."""
        num_blocks = self._problem.inner_loss.config.num_layers
        hidden = self._data.x[None]  # it does not depend on theta
        targets: list[Tensor] = []
        for index in range(num_blocks):
            self._entries.append(hidden)
            pushed = self._run(index)
            hidden = pushed.hidden
            if pushed.target is not None:
                targets.append(pushed.target)
            if index >= num_blocks - self._num_kept(pushed.saved):
                self._saved[index] = pushed.saved
            del pushed
        cotangent, labels, slope = self._head(hidden, distance)
        for index in reversed(range(num_blocks)):
            saved = self._saved.pop(index, None) or self._run(index).saved
            params = self._params(index)
            cotangent = self._pull(self._block(index), params, saved, cotangent, distance)
        if not targets:
            return (cotangent[1], labels, None), slope
        attention = torch.stack(targets, 1)
        return (cotangent[1], labels, attention), slope + attention.sum()

    def _run(self, index: int) -> Pushed:
        params, target = self._params(index), self._target(index)
        return self._push(self._block(index), params, self._entries[index], target)

    def _block(self, index: int) -> Block:
        loss, target = self._problem.inner_loss, self._target(index)
        weight = 0.0 if target is None else loss.attention_weight(target)
        is_last = index == loss.config.num_layers - 1
        return Block(loss.config, loss.precision, is_last, weight)

    def _target(self, index: int) -> Tensor | None:
        return None if self._data.attention is None else self._data.attention[:, index]

    def _params(self, index: int) -> Parameters:
        values, tangents = (block_params(part, index) for part in (self._theta, self._v))
        return {name: Parameter(values[name], tangents[name]) for name in values}

    def _num_kept(self, saved: Saved) -> int:
        """How many blocks like this one may keep what they saved: the last, first to be freed."""
        tensors = [t for t in tree_leaves(saved) if t is not None]
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return self._problem.activation_bytes // size

    def _head(self, hidden: Dual, distance: float | None) -> tuple[Dual, Tensor, Tensor]:
        """What the head contributes; it moves v as `pull` does.

        Returns:
            the cotangent of what the last block passes on; the tangent of the gradient in the
            labels; that of the cross-entropy.
        """
        head = self._problem.inner_loss.head
        theta, v = (
            {name: tensor for name, tensor in part.items() if name.startswith("head.")}
            for part in (self._theta, self._v)
        )

        def gradients(params: Params, hidden: Tensor) -> tuple[Tensor, tuple[object, ...]]:
            own, rest = ({}, params) if distance is None else (params, {})
            loss, pull_back = vjp(
                lambda own, hidden, labels: head({**rest, **own}, hidden, labels),
                own,
                hidden,
                self._data.labels,
            )
            return loss, pull_back(torch.ones_like(loss))

        (_, primal), (rise, tangent) = jvp(gradients, (theta, hidden[0]), (v, hidden[1]))
        for name, moved in tangent[0].items():
            v[name].add_(moved, alpha=distance)
        return torch.stack([primal[1], tangent[1]]), tangent[2], rise


@functools.cache
def _block_functions(compiled: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`push` and `pull`, as they are or compiled, once for all blocks of a shape.

    A graph that breaks is an error: what is compiled in pieces may drop a tangent without a word.
    """
    if not compiled:
        return push, pull
    compile_ = functools.partial(torch.compile, fullgraph=True, dynamic=False)
    return compile_(push), compile_(pull)
