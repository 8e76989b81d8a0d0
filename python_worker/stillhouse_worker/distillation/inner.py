"""The inner problem: how a learner is trained on distilled data."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import StillhouseError
from ..learners import Encoder, Learner
from ..learners.dropout import Dropout
from ..learners.encoder_config import EncoderConfig
from ..learners.interface import Params, ScoreRows, is_of_head
from ..learners.precision import Precision
from ..learners.transformer import pool, run_head
from ..seeding import derive_seed
from .losses import (
    USUAL_HIDDEN_TERM,
    AttentionLoss,
    AttentionReduction,
    HiddenTerm,
    attention_divergence,
    divergence_weight,
    hidden_divergence,
    soft_cross_entropy,
)
from .synthetic import AttentionLabels, DistilledData


@dataclass(frozen=True)
class InnerLoss:
    """l(phi; theta) = mean_m CE(f(x_m), y_m) + lambda D(A~, A(X~)) + mean_l D_l(h~, h(X~)).

    Attributes:
        learner: the learner f.
        attention_lambda: weight of the attention loss, >= 0.
        attention_reduction: how the divergence D is reduced.
        precision: of the products with weights in its derivatives; the loss itself is fp32.
        num_keys: S of the distilled data where samples may be shorter, as real texts are, so that a
            query's row weighs the same in each; None where all have S.
        mask: M x S, True where a sample has a vector; None where all have S. For training learners:
            no meta-gradient knows it.
        dropout: of inner steps; None: nothing is dropped. Its masks are those of one learner's
            step: see `of_learner` and `of_step`.
        attention_loss: which divergence; see `attention_divergence`.
        hidden: what is asked of hidden states where the data has labels of them.
        step: the inner step, from 0, by which ``hidden`` chooses layers.
    """

    learner: Learner
    attention_lambda: float
    attention_reduction: AttentionReduction
    precision: Precision = "fp32"
    mask: Tensor | None = None
    num_keys: int | None = None
    dropout: Dropout | None = None
    attention_loss: AttentionLoss = "kl"
    hidden: HiddenTerm = USUAL_HIDDEN_TERM
    step: int = 0

    def of_learner(self, seed: int, purpose: str, index: int = 0) -> "InnerLoss":
        """The loss that a learner is trained with, whose masks are a function of the arguments."""
        return self._dropping(seed, f"{purpose} dropout", index)

    def of_step(self, index: int) -> "InnerLoss":
        """The loss of a learner's inner step ``index``, which counts from 0."""
        own = self if self.hidden.schedule == "all" else replace(self, step=index)
        if self.dropout is None:
            return own
        assert self.dropout.seed is not None, "steps are those of a learner"
        return own._dropping(self.dropout.seed, "inner step", index)

    def _dropping(self, seed: int, purpose: str, index: int) -> "InnerLoss":
        if self.dropout is None:
            return self
        own = self.dropout._replace(seed=derive_seed(seed, purpose, index))
        return replace(self, dropout=own)

    def __call__(self, data: DistilledData, theta: Params) -> Tensor:
        """The whole loss, a scalar."""
        attention = data.attention_labels
        rows: ScoreRows = "all" if attention is not None and attention.kind == "all" else "first"
        output = self.learner.forward(
            theta,
            data.x,
            self.mask,
            score_rows=rows,
            dropout=self.dropout,
            backward=self.precision,
        )
        loss = soft_cross_entropy(output.logits, data.class_labels)
        if attention is not None:
            loss = loss + self._of_attention(attention, output.scores)
        if data.hidden_labels is not None:
            parts = [
                self.of_states(output.hidden[index], *data.hidden_labels.of_block(index))
                for index in self.labelled_layers
            ]
            loss = loss + torch.stack(parts).sum()
        return loss

    def _of_attention(self, labels: AttentionLabels, scores: tuple[Tensor, ...]) -> Tensor:
        if not scores:
            raise StillhouseError(
                "invalid",
                "this learner shows its attention only after dropout, so attention labels need "
                "--inner-dropout 0",
                field="inner.dropout",
            )
        shares = [
            attention_divergence(
                each,
                labels.of_block(index),
                self.attention_reduction,
                self.num_keys,
                self.attention_loss,
            )
            for index, each in enumerate(scores)
        ]
        # The mean over blocks is the mean over all their elements.
        return torch.stack(shares).mean() * self.attention_lambda

    @property
    def labelled_layers(self) -> range:
        """The layers whose hidden labels count in this step."""
        return self.hidden.layers(self.step, self.learner.attention.num_layers)

    def of_states(self, first: Tensor, states: Tensor, weights: Tensor) -> Tensor:
        """What the hidden labels of one of these layers count; their mean over the layers is taken.

        Args:
            first: M x E, the first token's vectors behind the layer.
            states, weights: the labels, M x E, and what each counts, M.
        """
        own = hidden_divergence(first, states, weights, self.hidden.loss)
        return own / len(self.labelled_layers)


class StagedInnerLoss(InnerLoss):
    """The same of a chain of blocks with known derivatives; a `StagedLoss`."""

    learner: Encoder

    @property
    def config(self) -> EncoderConfig:
        """Sizes of the encoder."""
        return self.learner.config

    def attention_weight(self, target: Float[Tensor, "m h q s"]) -> float:
        """The weight of the divergence from a block's labels, summed over every element."""
        weight = divergence_weight(target, self.attention_reduction, self.num_keys)
        return self.attention_lambda / self.config.num_layers * weight

    def head(self, params: Params, hidden: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropy, from the output of the last block."""
        pooled = pool(self.config, hidden, None)
        return soft_cross_entropy(run_head(params, pooled, self.dropout), labels)


def inner_loss(
    learner: Learner,
    attention_lambda: float,
    attention_reduction: AttentionReduction,
    dropout: float = 0.0,
    attention_loss: AttentionLoss = "kl",
    hidden: HiddenTerm = USUAL_HIDDEN_TERM,
) -> InnerLoss:
    """The inner loss in fp32 as this learner has it: staged where that is possible.

    Args:
        learner: the learner.
        attention_lambda, attention_reduction, attention_loss, hidden: see `InnerLoss`.
        dropout: probability in 0 <= p < 1 of a value to be dropped.

    Raises:
        StillhouseError: ``invalid`` for dropout in a learner that has none.
    """
    if dropout and not learner.has_dropout:
        raise StillhouseError(
            "invalid",
            f"inner.dropout must be 0 for a learner whose architecture has no dropout, got "
            f"{dropout:g}",
            field="inner.dropout",
        )
    is_staged = isinstance(learner, Encoder) and learner.library is None
    kind = StagedInnerLoss if is_staged else InnerLoss
    own = Dropout(dropout) if dropout else None
    return kind(
        learner,
        attention_lambda,
        attention_reduction,
        dropout=own,
        attention_loss=attention_loss,
        hidden=hidden,
    )


def sgd(
    theta: Params,
    grads: Iterable[Tensor],
    lr: Tensor | float,
    encoder_scale: Tensor | float | None = None,
) -> Params:
    """theta - lr * grads, as new tensors; differentiable in all.

    Where the encoder has a rate of its own, it is ``lr * encoder_scale``.
    """
    first = next(iter(theta.values()))
    # Of a number it is made on the device: to copy it there, the host would wait for the device.
    rate = lr.to(first) if isinstance(lr, Tensor) else first.new_full((), lr)
    encoder_rate = rate if encoder_scale is None else rate * encoder_scale
    return {
        # One pass over the memory.
        name: torch.addcmul(p, g, rate if is_of_head(name) else encoder_rate, value=-1)
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
    """theta_T: the learner after T steps on the distilled data; first order, no graph kept.

    Args:
        loss: with dropout, that of a learner; see `InnerLoss.of_learner`.
        data, theta: what it is trained on, and the learner before.
    """
    for index, lr in enumerate(data.lrs):
        _, grads = inner_gradient(loss.of_step(index), data.of_step(index), theta)
        with torch.no_grad():
            theta = sgd(theta, grads, lr, data.encoder_lr_scale)
    return theta
