"""Forward mode over reverse mode, block by block, with no graph at all.

An inner step computes the forward and backward passes of the blocks by hand. Where there is memory,
its values are kept, all of them or the few that save most time; the others are computed again when
the backward pass over the inner steps needs them. Along v, the tangents of every block then pass
forward and backward once more, and the result are the products.

The names of local tensors end in their axes, as in `block_layout`: m samples, l layers, h heads, q
rows of queries (1 where a block passes on its first row alone, else S), s keys, e of E, c classes.
"""

from typing import cast

import torch
from torch import Tensor

from ...errors import StillhouseError
from ...learners.interface import Params
from ...learners.transformer import block_dropout, block_params
from ..inner import sgd
from ..synthetic import DistilledData, Phi
from .block_alive import Alive
from .block_functions import block_functions
from .block_moves import Distance
from .block_tangents import Parameter, Parameters, Pushed
from .block_values import (
    Backward,
    Block,
    Cotangents,
    Forward,
    Masks,
    Narrow,
    Trace,
    heads_numel,
    kept_numel,
    narrow_numel,
)
from .interface import MetaGradient, MetaProblem, ScalarLoss, StagedLoss
from .label_tangents import AttentionTangents, StateTangents
from .stages import (
    has_state_loss,
    head_gradient,
    head_products,
    of_head,
    plus_first,
    state_gradient,
)
from .walk import Keep, Products, Rates, Slopes, Wanted, walk


def blockwise(problem: MetaProblem, phi: Phi, theta: Params) -> MetaGradient:
    """Products by the tangents of each block; see `walk` and `MetaProblem`.

    Raises:
        StillhouseError: ``invalid`` where the inner loss is no `StagedLoss`.
    """
    return walk(problem, phi, theta, _Step, _plan)


def _plan(problem: MetaProblem, data: DistilledData, theta: Params, num_steps: int) -> list[Keep]:
    """Memory goes to the narrow values first, which save most time for their size."""
    step = _Step(problem, data, theta)
    room = problem.activation_bytes // data.x.element_size()
    levels: list[Keep] = ["narrow", "wide", "all"]
    keeps: list[Keep] = ["nothing"] * num_steps
    size, reached = 0, num_steps
    for level in levels:
        size, more = step.kept_numel(level), step.kept_numel(level) - size
        reached = min(room // more, reached)
        room -= reached * more
        keeps[num_steps - reached :] = [level] * reached  # the backward pass starts with these
    return keeps


class _Step:
    """The inner loss at one theta."""

    def __init__(self, problem: MetaProblem, inputs: DistilledData, theta: Params) -> None:
        self._problem, self._inputs, self._theta = problem, inputs, theta
        self._loss = _staged(problem.inner_loss)
        self._data = inputs.map(Tensor.detach)
        self._num_blocks = self._loss.config.num_layers
        self._functions = block_functions(problem.compiled)
        # Of every block where `train` was to keep them, else empty.
        self._forwards: list[Forward] = []
        self._cotangents: list[Cotangents] = []
        self._narrow: dict[int, Narrow] = {}

    @torch.no_grad()
    def train(self, rates: Rates, keep: Keep) -> tuple[Tensor, Params]:
        """See `InnerStep`; `products` does not compute kept values again."""
        hidden_mqe, forwards = self._data.x, []
        narrow: dict[int, Narrow] = {}
        for index in range(self._num_blocks):
            forwards.append(self._forward(index, hidden_mqe))
            hidden_mqe = forwards[-1].passed
        shares = [each.divergence for each in forwards if each.divergence is not None]
        cotangent_mqe: Tensor | None
        loss, gradients, cotangent_mqe = self._head(hidden_mqe)
        trained = sgd(of_head(self._theta), gradients.values(), rates.head)
        kept = list(forwards) if keep == "all" else []
        for index in reversed(range(self._num_blocks)):
            passed_mqe, _, trace = forwards.pop()
            assert cotangent_mqe is not None  # only the first block's entry has none
            if has_state_loss(self._loss, self._data, index):
                share, along_me = state_gradient(self._loss, self._data, index, passed_mqe)
                shares.append(share)
                cotangent_mqe = plus_first(cotangent_mqe, along_me)
            del passed_mqe
            back = self._backward(index, trace, cotangent_mqe, rates.encoder)
            trained |= {f"blocks.{index}.{name}": p for name, p in back.trained.items()}
            cotangent_mqe = back.entered
            if keep == "all":
                self._cotangents.insert(0, back.cotangents)
            elif keep != "nothing":
                narrow[index] = Narrow.of(trace, back.cotangents, keep == "wide")
        self._forwards, self._narrow = kept, narrow
        return torch.stack([loss, *shares]).sum(), {name: trained[name] for name in self._theta}

    @torch.no_grad()
    def products(self, v: list[Tensor], lr: float, wanted: Wanted) -> Products:
        """See `InnerStep`."""
        direction = dict(zip(self._theta, v, strict=True))
        distance = -lr if wanted.next_v else None
        hidden_mqe, tangent_mqe = self._data.x, None
        entries: list[tuple[Tensor, Tensor | None]] = []
        alive = Alive(2 * self._problem.activation_bytes)
        attention, states = AttentionTangents(), StateTangents(self._loss, self._data)
        for index in range(self._num_blocks):
            entries.append((hidden_mqe, tangent_mqe))
            forward = self._forward(index, hidden_mqe)
            pushed = self._push(index, forward.trace, tangent_mqe, direction)
            hidden_mqe, tangent_mqe = forward.passed, pushed.passed
            attention.push(pushed)
            states.push(index, hidden_mqe, tangent_mqe)
            alive.put(index, None if self._forwards else forward.trace, pushed.tangents)
            del forward, pushed
        is_known = bool(self._cotangents or self._narrow)
        assert tangent_mqe is not None  # there is at least one block
        cotangent_mqe = None if is_known else self._head(hidden_mqe)[2]
        tangent_mqe, labels_mc, total, encoder = head_products(
            self._loss,
            self._theta,
            direction,
            (hidden_mqe, tangent_mqe),
            self._data.class_labels,
            distance,
        )
        for index in reversed(range(self._num_blocks)):
            entry, entry_tangent = entries.pop()
            trace = alive.traces.pop(index, None) or self._forward(index, entry).trace
            tangents = alive.tangents.pop(index, None)
            if tangents is None:
                tangents = self._push(index, trace, entry_tangent, direction).tangents
            del entry, entry_tangent
            cotangent_mqe, tangent_mqe = states.pull(index, cotangent_mqe, tangent_mqe)
            if self._cotangents:
                cotangents = self._cotangents.pop()
            else:
                back = self._backward(index, trace, cotangent_mqe, None)
                cotangents, cotangent_mqe = back.cotangents, back.entered
            tangent_mqe = self._functions.pull(
                self._block(index),
                self._parameters(index, direction),
                trace,
                cotangents,
                tangents,
                tangent_mqe,
                self._distance(lr if wanted.next_v else None),
            )
        attention_mlhqs, rises = attention.whole()
        states_mle, weights_ml, more = states.whole()
        for rise in (*rises, *more):
            total, encoder = total + rise, encoder + rise
        found = (tangent_mqe, labels_mc, attention_mlhqs, states_mle, weights_ml)
        parts = zip(self._inputs.parts(), found, strict=True)
        data = [p for part, p in parts if part is not None and part.requires_grad]
        slopes = Slopes(total, encoder) if wanted.slopes else None
        return Products(cast(list[Tensor], data), slopes)

    def kept_numel(self, keep: Keep) -> int:
        """Elements of what `train` may keep."""
        is_masked, total = self._loss.dropout is not None, 0
        for index in range(self._num_blocks):
            block, x, target = self._block(index), self._data.x, self._target(index)
            if keep == "all":
                params = block_params(self._theta, index)
                total += kept_numel(block, params, x, target, is_masked)
            elif keep != "nothing":
                total += narrow_numel(block, x)
                total += heads_numel(block, x, target) if keep == "wide" else 0
        return total

    def _forward(self, index: int, hidden: Tensor) -> Forward:
        if self._forwards:
            return self._forwards[index]
        block, dropout = self._block(index), block_dropout(self._loss.dropout, index)
        return self._functions.run_forward(
            block,
            block_params(self._theta, index),
            hidden,
            self._target(index),
            self._narrow.get(index),
            Masks.drawn(dropout, block, hidden),
        )

    def _push(self, index: int, trace: Trace, tangent: Tensor | None, direction: Params) -> Pushed:
        parameters = self._parameters(index, direction)
        return self._functions.push(
            self._block(index), parameters, trace, tangent, len(self._data.x)
        )

    def _backward(
        self, index: int, trace: Trace, cotangent: Tensor | None, lr: float | None
    ) -> Backward:
        narrow = self._narrow.get(index)
        if narrow is not None:
            cotangent = torch.unflatten(narrow.passed, 0, (len(self._data.x), -1))
        # The input of the first block is not the output of another one.
        return self._functions.run_backward(
            self._block(index),
            block_params(self._theta, index),
            trace,
            cotangent,
            self._distance(lr),
            index > 0 and narrow is None,
            narrow,
        )

    def _distance(self, lr: float | None) -> Distance | None:
        """How far along a gradient, in the form that the functions of a block take."""
        if lr is None or not self._problem.compiled:
            return None if lr is None else -lr
        return self._data.x.new_full((), -lr)

    def _block(self, index: int) -> Block:
        loss, target = self._loss, self._target(index)
        weight = 0.0 if target is None else loss.attention_weight(target)
        is_last = index == self._num_blocks - 1
        passes_first = is_last and loss.config.pooling == "first"
        return Block(loss.config, loss.precision, passes_first, weight, loss.attention_loss)

    def _target(self, index: int) -> Tensor | None:
        labels = self._data.attention_labels
        return None if labels is None else labels.of_block(index)

    def _parameters(self, index: int, direction: Params) -> Parameters:
        values, tangents = (block_params(part, index) for part in (self._theta, direction))
        return {name: Parameter(values[name], tangents[name]) for name in values}

    def _head(self, hidden: Tensor) -> tuple[Tensor, Params, Tensor]:
        return head_gradient(self._loss, self._theta, hidden, self._data.class_labels)


def _staged(loss: ScalarLoss) -> StagedLoss:
    if not isinstance(loss, StagedLoss):
        raise StillhouseError(
            "invalid",
            "blockwise differentiates the blocks of BERT and DistilBERT alone, and the learner has "
            "others; use --meta-gradient stepwise",
            field="outer.meta_gradient",
        )
    return loss
