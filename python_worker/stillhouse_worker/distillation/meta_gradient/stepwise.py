"""The meta-gradient by a walk back over the inner steps, one step's graph at a time.

    v <- grad_theta L(theta_T)
    for t = T ... 1:
        (a, h) <- grad of <v, grad_theta l(data; theta_{t-1})> with respect to (data, theta)
        grad_data += -lr_t a,   grad lr_t = -<v, grad_theta l>
        v <- v - lr_t h         (+ grad_theta L(theta_{t-1}) with loss accumulation, t > 1)
    grad_phi <- (grad_data, grad lr) pulled back through data(phi)

It is what backpropagation through the unrolled loop computes, term by term, without holding more
than one step's graph: memory grows with T only by one copy of theta a step.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ...learners.encoder import Params
from ..inner import leaves, sgd
from ..synthetic import DistilledData, Phi
from .interface import MetaGradient, MetaProblem


class _StepGraph(NamedTuple):
    """grad_theta l at one theta, differentiable in the distilled data and in theta."""

    theta: Params
    loss: Tensor
    grads: tuple[Tensor, ...]


def stepwise(problem: MetaProblem, phi: Phi, theta: Params) -> MetaGradient:
    """Walk forward keeping theta_t, then back; see `MetaProblem`."""
    data = problem.materialise(phi)
    inputs = _cut(data)
    learned = [part for part in inputs[:3] if part is not None and part.requires_grad]
    lrs = data.lrs.detach()

    trajectory, inner_losses = [theta], []
    for step, lr in enumerate(lrs):
        graph = _step_graph(problem, inputs, trajectory[-1], keep=step == len(lrs) - 1)
        inner_losses.append(graph.loss.detach())
        with torch.no_grad():
            trajectory.append(sgd(graph.theta, graph.grads, lr))

    outer_loss, v = _outer_gradient(problem, trajectory.pop())
    cotangents = [torch.zeros_like(part) for part in learned]
    lr_cotangent = torch.zeros_like(lrs)
    for step in reversed(range(len(lrs))):
        start = trajectory.pop()
        if step < len(lrs) - 1:  # the last step's graph is still there from the walk forward
            graph = _step_graph(problem, inputs, start, keep=True)
        if data.lrs.requires_grad:
            lr_cotangent[step] = -_dot(v, graph.grads)
        a, h = _step_products(graph, v, learned, with_theta=step > 0)
        for total, product in zip(cotangents, a, strict=True):
            total.sub_(lrs[step] * product)
        v = [v_i - lrs[step] * h_i for v_i, h_i in zip(v, h, strict=False)]
        if step > 0 and problem.accumulate_loss:
            loss, extra = _outer_gradient(problem, start)
            outer_loss = outer_loss + loss
            v = [v_i + e_i for v_i, e_i in zip(v, extra, strict=True)]
    grads = _pull_back(phi, data, [*cotangents, lr_cotangent])
    return MetaGradient(grads, outer_loss, inner_losses)


def _cut(data: DistilledData) -> DistilledData:
    """The same values as leaves; those that depend on phi require gradients."""
    return data.map(lambda part: part.detach().requires_grad_(part.requires_grad))


def _step_graph(
    problem: MetaProblem, inputs: DistilledData, theta: Params, keep: bool
) -> _StepGraph:
    theta = leaves(theta)
    loss = problem.inner_loss(inputs, theta)
    grads = torch.autograd.grad(loss, list(theta.values()), create_graph=keep)
    return _StepGraph(theta, loss, grads)


def _step_products(
    graph: _StepGraph, v: list[Tensor], learned: list[Tensor], with_theta: bool
) -> tuple[list[Tensor], list[Tensor]]:
    """(a, h); h is empty for the first step, where nothing before it needs it."""
    theta = list(graph.theta.values()) if with_theta else []
    products = torch.autograd.grad(
        graph.grads, [*learned, *theta], grad_outputs=v, materialize_grads=True
    )
    return list(products[: len(learned)]), list(products[len(learned) :])


def _outer_gradient(problem: MetaProblem, theta: Params) -> tuple[Tensor, list[Tensor]]:
    theta = leaves(theta)
    loss = problem.outer_loss(theta)
    return loss.detach(), list(torch.autograd.grad(loss, list(theta.values())))


def _pull_back(phi: Phi, data: DistilledData, cotangents: list[Tensor]) -> dict[str, Tensor]:
    """Cotangents of the learned parts of the data, then of its rates, to those of phi."""
    parts = [part for part in data[:3] if part is not None and part.requires_grad]
    if data.lrs.requires_grad:
        parts.append(data.lrs)
    grads = torch.autograd.grad(parts, list(phi.values()), grad_outputs=cotangents[: len(parts)])
    return dict(zip(phi, grads, strict=True))


def _dot(left: list[Tensor], right: tuple[Tensor, ...]) -> Tensor:
    products = [
        torch.dot(a.flatten(), b.detach().flatten()) for a, b in zip(left, right, strict=True)
    ]
    return torch.stack(products).sum()
