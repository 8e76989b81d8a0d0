"""The inner problem: how a learner is trained on distilled data."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..learners.encoder import EncoderConfig, Params
from ..learners.learner import forward
from .losses import AttentionReduction, attention_divergence, soft_cross_entropy
from .synthetic import DistilledData


@dataclass(frozen=True)
class InnerLoss:
    """l(phi; theta) = mean_m CE(f(x_m), y_m) + lambda * KL(A~ || A(X~)).

    Attributes:
        config: sizes of the encoder.
        attention_lambda: weight of the attention loss, >= 0.
        attention_reduction: how the divergence is reduced.
    """

    config: EncoderConfig
    attention_lambda: float
    attention_reduction: AttentionReduction

    def __call__(self, data: DistilledData, theta: Params) -> Tensor:
        every_row = data.attention is not None and data.attention.dim() == 5
        output = forward(self.config, theta, data.x, score_rows="all" if every_row else "first")
        loss = soft_cross_entropy(output.logits, data.labels)
        if data.attention is None:
            return loss
        divergence = attention_divergence(output.scores, data.attention, self.attention_reduction)
        return loss + self.attention_lambda * divergence


def sgd(theta: Params, grads: Iterable[Tensor], lr: Tensor | float) -> Params:
    """theta - lr * grads, as new tensors; differentiable in all three."""
    rate = torch.as_tensor(lr)
    return {
        name: torch.addcmul(p, g, rate.to(p), value=-1)  # one pass over the memory
        for (name, p), g in zip(theta.items(), grads, strict=True)
    }


def leaves(theta: Params) -> Params:
    """The same values, cut from their graph, with gradients switched on."""
    return {name: p.detach().requires_grad_() for name, p in theta.items()}


def train_learner(loss: InnerLoss, data: DistilledData, theta: Params) -> Params:
    """theta_T: the learner after T steps on the distilled data; first order, no graph kept."""
    data = data.map(Tensor.detach)
    for lr in data.lrs:
        theta = leaves(theta)
        grads = torch.autograd.grad(loss(data, theta), list(theta.values()))
        with torch.no_grad():
            theta = sgd(theta, grads, lr)
    return theta
