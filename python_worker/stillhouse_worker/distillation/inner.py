"""The inner problem: how a learner is trained on distilled data."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..learners.encoder import EncoderConfig, Params
from ..learners.learner import ScoreRows, block_params, run_block, run_head
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
        hidden, losses = data.x, []
        for index in range(self.config.num_layers):
            target = None if data.attention is None else data.attention[:, index]
            is_last = index == self.config.num_layers - 1
            hidden, loss = self.block(block_params(theta, index), hidden, target, is_last)
            if loss is not None:
                losses.append(loss)
        loss = self.head(theta, hidden, data.labels)
        return loss + torch.stack(losses).sum() if losses else loss

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
        rows: ScoreRows = "all" if target is not None and target.dim() == 4 else "first"
        with autocast(hidden.device, self.precision):
            hidden, scores = run_block(
                self.config, params, hidden, None, is_last, "explicit", rows, dropout=0.0
            )
        if target is None or scores is None:
            return hidden, None
        divergence = attention_divergence(scores, target, self.attention_reduction)
        return hidden, self.attention_lambda / self.config.num_layers * divergence

    def head(self, params: Params, hidden: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropy, given what the last block passes on."""
        with autocast(hidden.device, self.precision):
            logits = run_head(params, hidden, dropout=0.0)
        return soft_cross_entropy(logits.to(labels), labels)


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
