"""phi: the learned tensors, and the distilled data that they parametrise."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from .inner_rates import InnerRates, LearnLr, RateForm

ClassLabelKind = Literal["hard", "restricted", "unrestricted"]
AttentionKind = Literal["none", "cls", "all"]
CLASS_LABEL_KINDS: tuple[ClassLabelKind, ...] = get_args(ClassLabelKind)
ATTENTION_KINDS: tuple[AttentionKind, ...] = get_args(AttentionKind)
HiddenKind = Literal["none", "cls"]

# phi by name. Only tensors that are learned are in it, or held where a teacher gives them:
#   "x" M x S x E, "labels" M x C: the class labels,
#   "attention" M x L x Hd x S (cls) or M x L x Hd x S x S (all): logits of the attention labels,
#   "hidden" M x L x E: the hidden labels, "hidden_weights" L: logarithms of their weights,
#   and the free parameters of learned rates, see `InnerRates`. Samples are block after block.
Phi = dict[str, Tensor]
HIDDEN_WEIGHTS = "hidden_weights"
_INTERNAL_LABELS = ("attention", "hidden")


class SyntheticConfig(NamedTuple):
    """Which tensors are learned, and their sizes.

    Attributes:
        num_classes: C.
        per_class: distilled samples per class and block, unless ``classes`` says otherwise.
        seq_len: S.
        class_labels: how they are learned.
        attention_labels: which queries have them.
        num_steps: T.
        lr, lr_decay: the rate of inner step t is lr * lr_decay^(t-1), where not learned.
        learn_lr: which rates are learned.
        classes: the class of each sample of a block at its start, 0 to C - 1; empty: ``per_class``
            of each class in turn.
        blocks: B; inner step t, from 0, trains on the samples of block t mod B alone.
        rate_form: how rates are learned.
        encoder_lr_scale: see `InnerRates`.
        hidden_labels: whether the first token has one behind each layer.
        hidden_weight: what they count, > 0 where that is learned, for each layer by itself.
        learns_hidden_weight: whether it is; it then starts at ``hidden_weight``.
        holds_internal_labels: the attention labels and the hidden labels stay as they start.
    """

    num_classes: int
    per_class: int
    seq_len: int
    class_labels: ClassLabelKind
    attention_labels: AttentionKind
    num_steps: int
    lr: float
    lr_decay: float
    learn_lr: LearnLr
    classes: tuple[int, ...] = ()
    blocks: int = 1
    rate_form: RateForm = "exp"
    encoder_lr_scale: float = 0.0
    hidden_labels: HiddenKind = "none"
    hidden_weight: float = 1.0
    learns_hidden_weight: bool = False
    holds_internal_labels: bool = False

    @property
    def held(self) -> frozenset[str]:
        """The names of tensors of phi that are not learned."""
        return frozenset(_INTERNAL_LABELS if self.holds_internal_labels else ())

    @property
    def sample_classes(self) -> list[int]:
        """The class of each of the M samples at its start, block after block."""
        return block_classes(self.num_classes, self.per_class, self.classes) * self.blocks

    @property
    def rates(self) -> InnerRates:
        """The rates of the inner steps."""
        return InnerRates(
            self.num_steps,
            self.lr,
            self.lr_decay,
            self.learn_lr,
            self.rate_form,
            self.encoder_lr_scale,
        )


class AttentionLabels(NamedTuple):
    """The attention that a learner is to have on each sample.

    Attributes:
        kind: "cls": of the first query alone; "all": of every query.
        log_probabilities: over keys, in every layer and head; Q is 1 for cls and S for all.
    """

    kind: Literal["cls", "all"]
    log_probabilities: Float[Tensor, "m l h q s"]

    def map(self, function: Callable[[Tensor], Tensor]) -> "AttentionLabels":
        """The same labels with ``function`` applied to the log-probabilities."""
        return AttentionLabels(self.kind, function(self.log_probabilities))

    def of_block(self, index: int) -> Float[Tensor, "m h q s"]:
        """The labels of one layer."""
        return self.log_probabilities[:, index]

    def packed(self) -> Tensor:
        """As files and phi have them: without the axis Q for cls, with it for all."""
        return self.log_probabilities[..., 0, :] if self.kind == "cls" else self.log_probabilities

    @classmethod
    def unpacked(cls, kind: Literal["cls", "all"], packed: Tensor) -> "AttentionLabels":
        """The inverse of `packed`."""
        return cls(kind, packed.unsqueeze(-2) if kind == "cls" else packed)


class HiddenLabels(NamedTuple):
    """The vectors that the first token of each sample is to have behind each layer.

    Attributes:
        states: the vectors; of "cosine" their directions alone count.
        weights: what each counts.
    """

    states: Float[Tensor, "m l e"]
    weights: Float[Tensor, "m l"]

    def map(self, function: Callable[[Tensor], Tensor]) -> "HiddenLabels":
        """The same labels with ``function`` applied to both tensors."""
        return HiddenLabels(function(self.states), function(self.weights))

    def of_block(self, index: int) -> tuple[Float[Tensor, "m e"], Float[Tensor, " m"]]:
        """The labels of one layer, and their weights."""
        return self.states[:, index], self.weights[:, index]

    @classmethod
    def weighted(cls, states: Tensor, weights: Float[Tensor, " l"]) -> "HiddenLabels":
        """With one weight per layer, as files and phi have them."""
        return cls(states, weights.expand(states.shape[:2]))


class DistilledData(NamedTuple):
    """The training data of a learner.

    Attributes:
        x: vectors that enter the first block.
        class_labels: one row per sample; a distribution unless unrestricted.
        attention_labels: None without.
        lrs: one learning rate per inner step, of the head and, where it has none of its own, of the
            encoder.
        num_blocks: B; the samples are those of B blocks of one size, one block after the other.
        encoder_lr_scale: the encoder's rate over that of the head, > 0; None where both have one.
        hidden_labels: None without.
    """

    x: Float[Tensor, "m ..."]
    class_labels: Float[Tensor, "m c"]
    attention_labels: AttentionLabels | None
    lrs: Float[Tensor, " t"]
    num_blocks: int = 1
    encoder_lr_scale: Float[Tensor, ""] | None = None
    hidden_labels: HiddenLabels | None = None

    def of_step(self, index: int) -> "DistilledData":
        """The block that inner step ``index`` trains on, which counts from 0; a view."""
        if self.num_blocks == 1:
            return self
        size = len(self.x) // self.num_blocks
        first = index % self.num_blocks * size
        return self.rows(slice(first, first + size))

    def rows(self, rows: slice | Tensor) -> "DistilledData":
        """Only these samples, as one block."""
        attention = self.attention_labels and self.attention_labels.map(lambda part: part[rows])
        hidden = self.hidden_labels and self.hidden_labels.map(lambda part: part[rows])
        return self._replace(
            x=self.x[rows],
            class_labels=self.class_labels[rows],
            attention_labels=attention,
            hidden_labels=hidden,
            num_blocks=1,
        )

    def map(self, function: Callable[[Tensor], Tensor]) -> "DistilledData":
        """The same data with ``function`` applied to each tensor."""
        attention = self.attention_labels and self.attention_labels.map(function)
        scale = self.encoder_lr_scale
        return DistilledData(
            function(self.x),
            function(self.class_labels),
            attention,
            function(self.lrs),
            self.num_blocks,
            None if scale is None else function(scale),
            self.hidden_labels and self.hidden_labels.map(function),
        )

    def parts(self) -> tuple[Tensor | None, ...]:
        """X, class labels, attention labels, hidden labels and their weights, without the rates."""
        attention, hidden = self.attention_labels, self.hidden_labels or (None, None)
        return self.x, self.class_labels, attention and attention.log_probabilities, *hidden


def block_classes(num_classes: int, per_class: int, classes: Sequence[int] = ()) -> list[int]:
    """``classes``, or ``per_class`` of each class in turn."""
    return list(classes) or [label for label in range(num_classes) for _ in range(per_class)]


def one_hot(num_classes: int, classes: Sequence[int]) -> Float[Tensor, "m c"]:
    """The labels of these classes."""
    return torch.eye(num_classes)[list(classes)]


def init_phi(
    config: SyntheticConfig,
    num_layers: int,
    num_heads: int,
    x: Float[Tensor, "m ..."],
    generator: torch.Generator,
    labels: Float[Tensor, "m c"] | None = None,
    states: Float[Tensor, "m l e"] | None = None,
    attention: Float[Tensor, "m l h ..."] | None = None,
) -> Phi:
    """Leaves on the CPU: X, labels and attention as given, else from N(0, 1).

    Args:
        config: which tensors.
        num_layers, num_heads: of the encoder.
        x: the samples, block after block.
        generator: of the attention labels.
        labels: where they are learned; by default one-hot values.
        states: the hidden labels, where there are such.
        attention: logits of the attention labels; by default they are drawn.
    """
    phi: Phi = {"x": x.clone()}
    if config.class_labels != "hard":
        start = one_hot(config.num_classes, config.sample_classes) if labels is None else labels
        phi["labels"] = start.clone()
    if config.attention_labels != "none":
        rows = (config.seq_len,) if config.attention_labels == "all" else ()
        shape = (len(x), num_layers, num_heads, *rows, config.seq_len)
        drawn = torch.randn(shape, generator=generator) if attention is None else attention
        phi["attention"] = drawn.clone()
    if config.hidden_labels != "none":
        assert states is not None, "the caller knows where they start"
        phi["hidden"] = states.clone()
        if config.learns_hidden_weight:
            phi[HIDDEN_WEIGHTS] = torch.full((num_layers,), config.hidden_weight).log()
    phi |= config.rates.init()
    return {name: tensor.requires_grad_(name not in config.held) for name, tensor in phi.items()}


def materialise(config: SyntheticConfig, phi: Phi) -> DistilledData:
    """The distilled data that phi parametrises, differentiable in phi."""
    x = phi["x"]
    if config.class_labels == "hard":
        labels = one_hot(config.num_classes, config.sample_classes).to(x)
    elif config.class_labels == "restricted":
        labels = phi["labels"].softmax(-1)
    else:
        labels = phi["labels"]
    attention = None
    if config.attention_labels != "none":
        log_probabilities = phi["attention"].log_softmax(-1)
        attention = AttentionLabels.unpacked(config.attention_labels, log_probabilities)
    rates = config.rates
    scale = rates.encoder_scale_of(phi)
    return DistilledData(
        x,
        labels,
        attention,
        rates.of(phi).to(x),
        config.blocks,
        None if scale is None else scale.to(x),
        _hidden_labels(config, phi),
    )


def weight_points(phi: Phi) -> dict[str, float]:
    """The learned weights of hidden labels, as metrics by the number of the layer."""
    if HIDDEN_WEIGHTS not in phi:
        return {}
    weights = phi[HIDDEN_WEIGHTS].detach().exp().tolist()
    return {f"hidden_weight_{layer}": weight for layer, weight in enumerate(weights, 1)}


def _hidden_labels(config: SyntheticConfig, phi: Phi) -> HiddenLabels | None:
    if config.hidden_labels == "none":
        return None
    states = phi["hidden"]
    if config.learns_hidden_weight:
        return HiddenLabels.weighted(states, phi[HIDDEN_WEIGHTS].exp())
    return HiddenLabels.weighted(states, states.new_full(states.shape[1:2], config.hidden_weight))
