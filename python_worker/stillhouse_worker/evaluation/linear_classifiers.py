"""Classifiers on features of the frozen encoder: what distilled data has to be worth more than.

Both are one linear layer, so that C (E + 1) numbers are all that is stored:

- **Class means** (nearest class mean; Snell et al., 2017, without any training): with the mean
  feature m_c of each class, logit_c = x . m_c - |m_c|^2 / 2, whose order is that of the distances.
- **Linear probe** (Alain & Bengio, 2016): logistic regression over the classes with an L2 penalty
  whose strength is chosen on validation.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

# Strengths of the penalty that are tried on validation, per row of train, features being
# standardised.
L2_STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
# Iterations of L-BFGS and the gradient norm at which it ends.
_MAX_ITERATIONS = 200
_TOLERANCE = 1e-6
# After so many the search ends.
_WORSE_IN_A_ROW = 2


class LinearClassifier(NamedTuple):
    """One linear layer over features.

    Attributes:
        weight: fp32 [C, E].
        bias: fp32 [C].
    """

    weight: Float[Tensor, "c e"]
    bias: Float[Tensor, " c"]

    def logits(self, features: Float[Tensor, "n e"]) -> Float[Tensor, "n c"]:
        """Logits of each row."""
        return F.linear(features, self.weight, self.bias)

    def accuracy(self, features: Float[Tensor, "n e"], labels: Int[Tensor, " n"]) -> float:
        """Fraction of the rows whose largest logit is that of their class, 0 to 1."""
        return (self.logits(features).argmax(-1) == labels).double().mean().item()


class Probe(NamedTuple):
    """A linear probe and the strength of the penalty that was chosen for it."""

    classifier: LinearClassifier
    l2: float


def class_means(
    features: Float[Tensor, "n e"], labels: Int[Tensor, " n"], num_classes: int
) -> LinearClassifier:
    """The nearest class mean.

    Args:
        features: of the rows of train, at least one per class.
        labels: their classes, 0 to C - 1.
        num_classes: C.
    """
    sums = torch.zeros(num_classes, features.shape[1]).index_add_(0, labels, features)
    means = sums / torch.bincount(labels, minlength=num_classes)[:, None]
    return LinearClassifier(means, -means.square().sum(1) / 2)


def linear_probe(
    features: Float[Tensor, "n e"], labels: Int[Tensor, " n"], num_classes: int, l2: float
) -> LinearClassifier:
    """Logistic regression: mean cross-entropy + l2 / 2 times the squared norm of the weight.

    The features are standardised first, and the layer that is returned takes them as they are. The
    problem is convex, so that nothing is drawn and the result is a function of the arguments.

    Args:
        features: of the rows of train.
        labels: their classes, 0 to C - 1.
        num_classes: C.
        l2: strength of the penalty, greater than 0.
    """
    return _Regression(features, labels, num_classes).fitted(l2)


def searched_probe(
    train: tuple[Float[Tensor, "n e"], Int[Tensor, " n"]],
    validation: tuple[Float[Tensor, "v e"], Int[Tensor, " v"]],
    num_classes: int,
    strengths: Sequence[float] = L2_STRENGTHS,
    on_evaluation: Callable[[int], None] = lambda index: None,
) -> Probe:
    """The linear probe whose penalty is best on validation; of equals the strongest.

    The strongest is fitted first, and each other one starts where the one before it ended. After
    two in a row that are worse than the best, weaker ones are not tried: those take longest.

    Args:
        train: features and labels.
        validation: the same of other rows.
        num_classes: C.
        strengths: those that are tried, each greater than 0.
        on_evaluation: called before each evaluation of the loss with how many strengths are done;
            what it raises ends the search.
    """
    if not strengths:
        raise ValueError("strengths is empty; at least one is needed")
    regression = _Regression(*train, num_classes)
    best: tuple[float, Probe] | None = None
    worse = 0
    for index, l2 in enumerate(sorted(strengths, reverse=True)):
        classifier = regression.fitted(l2, partial(on_evaluation, index))
        accuracy = classifier.accuracy(*validation)
        worse = worse + 1 if best and accuracy < best[0] else 0
        if best is None or accuracy > best[0]:
            best = accuracy, Probe(classifier, l2)
        if worse == _WORSE_IN_A_ROW:
            break
    assert best is not None
    return best[1]


class _Regression:
    """Logistic regression on standardised features; a fit starts where the one before it ended."""

    def __init__(
        self, features: Float[Tensor, "n e"], labels: Int[Tensor, " n"], num_classes: int
    ) -> None:
        self._centre = features.mean(0)
        scale = features.std(0, correction=0)
        self._scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        self._x = ((features - self._centre) / self._scale).double()
        self._labels = labels
        self._weight = torch.zeros(num_classes, self._x.shape[1], dtype=torch.float64)
        self._bias = torch.zeros(num_classes, dtype=torch.float64)

    def fitted(
        self, l2: float, on_evaluation: Callable[[], None] = lambda: None
    ) -> LinearClassifier:
        weight, bias = self._weight.requires_grad_(), self._bias.requires_grad_()
        optimizer = torch.optim.LBFGS(
            [weight, bias],
            max_iter=_MAX_ITERATIONS,
            tolerance_grad=_TOLERANCE,
            line_search_fn="strong_wolfe",
        )

        def objective() -> Tensor:
            on_evaluation()
            optimizer.zero_grad()
            loss = F.cross_entropy(F.linear(self._x, weight, bias), self._labels)
            loss = loss + l2 / 2 * weight.square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(objective)  # type: ignore[no-untyped-call]
        on_raw = weight.detach() / self._scale
        bias_on_raw = bias.detach() - on_raw @ self._centre.double()
        return LinearClassifier(on_raw.float(), bias_on_raw.float())
