"""One transformer block's graph at a time: forward mode over reverse mode, rematerialised.

A step is swept twice. Forward: what enters each block, and its tangent along v, are kept; nothing
else is. Backward: each block is run again, and the derivative along v of its reverse pass gives the
block's share of the products and the cotangent, with its own tangent, for the block before.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from ...learners.encoder import Params
from ...learners.learner import block_params
from ..inner import inner_gradient
from ..synthetic import DistilledData, Phi
from .interface import MetaGradient, MetaProblem
from .walk import Products, Wanted, walk

# Their stubs also cover the form with auxiliary output, which has three parts.
jvp = cast(Callable[..., tuple[Any, Any]], torch.func.jvp)
vjp = cast(Callable[..., tuple[Any, Callable[..., Any]]], torch.func.vjp)

# A tensor and its tangent along v.
Dual = tuple[Tensor, Tensor]


class _Entry(NamedTuple):
    """What a block needs to be run again."""

    params: Params
    v: Params
    hidden: Dual
    target: Tensor | None
    is_last: bool


class _Step(NamedTuple):
    problem: MetaProblem
    inputs: DistilledData
    theta: Params

    def gradient(self) -> tuple[Tensor, list[Tensor]]:
        return inner_gradient(self.problem.inner_loss, self.inputs, self.theta)

    def products(self, v: list[Tensor], wanted: Wanted) -> Products:
        with torch.no_grad():
            return _sweep(
                self.problem,
                self.inputs.map(Tensor.detach),
                self.theta,
                dict(zip(self.theta, v, strict=True)),
                [part is not None and part.requires_grad for part in self.inputs[:3]],
                wanted,
            )


def blockwise(problem: MetaProblem, phi: Phi, theta: Params) -> MetaGradient:
    """Mixed-mode products block by block; see `walk` and `MetaProblem`."""
    return walk(problem, phi, theta, _Step)


def _sweep(
    problem: MetaProblem,
    data: DistilledData,
    theta: Params,
    v: Params,
    is_learned: list[bool],
    wanted: Wanted,
) -> Products:
    loss, (push_block, pull_block) = problem.inner_loss, _block_functions(problem.compiled)
    num_blocks = loss.config.num_layers
    hidden: Dual = (data.x, torch.zeros_like(data.x))
    slope = data.x.new_zeros(())
    entries = []
    for index in range(num_blocks):
        target = None if data.attention is None else data.attention[:, index]
        entry = _Entry(
            block_params(theta, index),
            block_params(v, index),
            hidden,
            target,
            index == num_blocks - 1,
        )
        entries.append(entry)
        hidden, rise = push_block(loss.block, entry)
        if rise is not None:
            slope = slope + rise
    names = [name for name in theta if name.startswith("head.")]
    cotangent, head_tangents, labels, rise = _head(
        loss.head,
        {name: theta[name] for name in names},
        {name: v[name] for name in names},
        hidden,
        data.labels,
        wanted.theta,
    )
    tangents = dict(head_tangents)
    attention: list[Tensor] = []
    for index, entry in reversed(list(enumerate(entries))):
        cotangent, params, target = pull_block(loss.block, entry, cotangent, wanted.theta)
        tangents |= {f"blocks.{index}.{name}": tangent for name, tangent in params.items()}
        if target is not None:
            attention.insert(0, target)
    parts = (cotangent[1], labels, torch.stack(attention, 1) if attention else None)
    return Products(
        [p for p, learned in zip(parts, is_learned, strict=True) if learned and p is not None],
        [tangents[name] for name in theta] if wanted.theta else [],
        slope + rise if wanted.slope else None,
    )


@functools.cache
def _block_functions(compiled: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`push` and `pull`, as they are or compiled, once for all blocks of a shape.

    Each transform begins and ends inside its compiled region: a tangent that crosses the edge of
    one is dropped without a word (PyTorch 2.13), so a graph that breaks is an error.
    """
    if not compiled:
        return push, pull
    compile_ = functools.partial(torch.compile, fullgraph=True, dynamic=False)
    return compile_(push), compile_(pull)


Block = Callable[[Params, Tensor, Tensor | None, bool], tuple[Tensor, Tensor | None]]


def push(block: Block, entry: _Entry) -> tuple[Dual, Tensor | None]:
    """What the block passes on, with its tangent, and the rise of its loss along v."""

    def run(params: Params, hidden: Tensor) -> tuple[Tensor, ...]:
        out, loss = block(params, hidden, entry.target, entry.is_last)
        return (out,) if loss is None else (out, loss)

    primal, tangent = jvp(run, (entry.params, entry.hidden[0]), (entry.v, entry.hidden[1]))
    return (primal[0], tangent[0]), tangent[1] if len(tangent) > 1 else None


def pull(
    block: Block, entry: _Entry, cotangent: Dual, with_params: bool
) -> tuple[Dual, Params, Tensor | None]:
    """The cotangent of what enters the block, with its tangent; tangents of the block's gradients.

    Args:
        block: the block.
        entry: what it is run on.
        cotangent: of what it passes on, with its tangent.
        with_params: whether the tangents of the gradients of its parameters are wanted.

    Returns:
        cotangent of what enters; tangents of the parameters' gradients, empty when not wanted;
        tangent of the attention labels' gradient, None without any.
    """

    def gradients(params: Params, hidden: Tensor, out_cotangent: Tensor) -> tuple[object, ...]:
        own, fixed = (params, {}) if with_params else ({}, params)

        def run(own: Params, hidden: Tensor, *target: Tensor) -> tuple[Tensor, ...]:
            label = target[0] if target else None
            out, loss = block({**fixed, **own}, hidden, label, entry.is_last)
            return (out,) if loss is None else (out, loss)

        targets = () if entry.target is None else (entry.target,)
        outputs, pull_back = vjp(run, own, hidden, *targets)
        losses = tuple(torch.ones_like(loss) for loss in outputs[1:])
        return pull_back((out_cotangent, *losses))

    primal, tangent = jvp(
        gradients,
        (entry.params, entry.hidden[0], cotangent[0]),
        (entry.v, entry.hidden[1], cotangent[1]),
    )
    return (primal[1], tangent[1]), tangent[0], tangent[2] if len(tangent) > 2 else None


def _head(
    head: Callable[[Params, Tensor, Tensor], Tensor],
    params: Params,
    v: Params,
    hidden: Dual,
    labels: Tensor,
    with_params: bool,
) -> tuple[Dual, Params, Tensor, Tensor]:
    """As `pull`, for the end of the chain; also the rise of its loss along v."""

    def gradients(params: Params, hidden: Tensor) -> tuple[Tensor, tuple[object, ...]]:
        own, rest = (params, {}) if with_params else ({}, params)
        loss, pull_back = vjp(
            lambda own, hidden, labels: head({**rest, **own}, hidden, labels), own, hidden, labels
        )
        return loss, pull_back(torch.ones_like(loss))

    (_, primal), (rise, tangent) = jvp(gradients, (params, hidden[0]), (v, hidden[1]))
    return (primal[1], tangent[1]), tangent[0], tangent[2], rise
