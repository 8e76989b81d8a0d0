"""The inner problem: how a learner is trained on distilled data."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..learners.encoder import EncoderConfig, Params
from ..learners.learner import ScoreRows, forward, run_block, run_head
from ..learners.precision import Precision, autocast
from .losses import AttentionReduction, attention_divergence, soft_cross_entropy
from .synthetic import DistilledData


@dataclass(frozen=True)
class InnerLoss:
    """l(phi; theta) = mean_m CE(f(x_m), y_m) + lambda * KL(A~ || A(X~)).

    It is a chain of blocks and a head, and can be run one link at a time.

    Attributes:
        config: sizes of the encoder.
        attention_lambda: weight of the attention loss, >= 0.
        attention_reduction: how the divergence is reduced.
        precision: of the matrix products, of all derivatives too; the loss itself is fp32.
    """

    config: EncoderConfig
    attention_lambda: float
    attention_reduction: AttentionReduction
    precision: Precision = "fp32"

    def __call__(self, data: DistilledData, theta: Params) -> Tensor:
        """The whole loss, a scalar."""
        rows = self._score_rows(None if data.attention is None else data.attention[:, 0])
        with autocast(data.x.device, self.precision):
            output = forward(self.config, theta, data.x, score_rows=rows)
        loss = soft_cross_entropy(output.logits.to(data.labels), data.labels)
        if data.attention is None:
            return loss
        shares = [
            self._attention_loss(scores, data.attention[:, index])
            for index, scores in enumerate(output.scores)
        ]
        return loss + torch.stack(shares).sum()

    def block(
        self, params: Params, hidden: Tensor, target: Tensor | None, is_last: bool
    ) -> tuple[Tensor, Tensor | None]:
        """One block: what it passes on, and its share of the attention loss.

        Args:
            params: those of the block, by their names within it.
            hidden: M x S x E, what enters it.
            target: its attention labels, M x Hd x S (cls) or M x Hd x S x S (all); None without.
            is_last: only its first row reaches the head.
        """
        rows = self._score_rows(target)
        with autocast(hidden.device, self.precision):
            hidden, scores = run_block(
                self.config, params, hidden, None, is_last, "explicit", rows, dropout=0.0
            )
        if target is None or scores is None:
            return hidden, None
        return hidden, self._attention_loss(scores, target)

    def head(self, params: Params, hidden: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropy, given what the last block passes on."""
        with autocast(hidden.device, self.precision):
            logits = run_head(params, hidden, dropout=0.0)
        return soft_cross_entropy(logits.to(labels), labels)

    def _attention_loss(self, scores: Tensor, target: Tensor) -> Tensor:
        """A block's share: the mean over blocks is the mean over all their elements."""
        divergence = attention_divergence(scores, target, self.attention_reduction)
        return self.attention_lambda / self.config.num_layers * divergence

    @staticmethod
    def _score_rows(target: Tensor | None) -> ScoreRows:
        """The rows that a block's labels, M x Hd x S (cls) or M x Hd x S x S (all), speak of."""
        return "all" if target is not None and target.dim() == 4 else "first"


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


def inner_gradient(
    loss: Callable[[DistilledData, Params], Tensor], data: DistilledData, theta: Params
) -> tuple[Tensor, list[Tensor]]:
    """l and grad_theta l, in the order of theta; first order, no graph kept."""
    theta = leaves(theta)
    value = loss(data.map(Tensor.detach), theta)
    return value.detach(), list(torch.autograd.grad(value, list(theta.values())))


def train_learner(loss: InnerLoss, data: DistilledData, theta: Params) -> Params:
    """theta_T: the learner after T steps on the distilled data; first order, no graph kept."""
    for lr in data.lrs:
        _, grads = inner_gradient(loss, data, theta)
        with torch.no_grad():
            theta = sgd(theta, grads, lr)
    return theta
