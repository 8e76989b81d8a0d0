"""phi: the learned tensors, and the distilled data that they parametrise."""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor

ClassLabelKind = Literal["hard", "restricted", "unrestricted"]
AttentionKind = Literal["none", "cls", "all"]
LearnLr = Literal["none", "shared", "per_step"]
CLASS_LABEL_KINDS: tuple[ClassLabelKind, ...] = get_args(ClassLabelKind)
ATTENTION_KINDS: tuple[AttentionKind, ...] = get_args(AttentionKind)
LEARN_LRS: tuple[LearnLr, ...] = get_args(LearnLr)

# phi by name. Only tensors that are learned are in it, and each is a leaf:
#   "x" M x S x E, "labels" M x C: the class labels,
#   "attention" M x L x Hd x S (cls) or M x L x Hd x S x S (all): logits of the attention labels,
#   "log_lr" () or T, "log_lr_decay" ().
Phi = dict[str, Tensor]
RATE_NAMES = ("log_lr", "log_lr_decay")


class SyntheticConfig(NamedTuple):
    """Which tensors are learned, and their sizes.

    Attributes:
        num_classes: C.
        per_class: distilled samples per class; M = per_class * C.
        seq_len: S.
        class_labels: how they are learned.
        attention_labels: which queries have them.
        num_steps: T.
        lr, lr_decay: the rate of inner step t is lr * lr_decay^(t-1), where not learned.
        learn_lr: which rates are learned.
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


class DistilledData(NamedTuple):
    """The training data of a learner.

    Attributes:
        x: vectors that enter the first block.
        class_labels: one row per sample; a distribution unless unrestricted.
        attention_labels: None without.
        lrs: one learning rate per inner step.
    """

    x: Float[Tensor, "m s e"]
    class_labels: Float[Tensor, "m c"]
    attention_labels: AttentionLabels | None
    lrs: Float[Tensor, " t"]

    def map(self, function: Callable[[Tensor], Tensor]) -> "DistilledData":
        """The same data with ``function`` applied to each tensor."""
        attention = self.attention_labels and self.attention_labels.map(function)
        return DistilledData(
            function(self.x), function(self.class_labels), attention, function(self.lrs)
        )

    def parts(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """X, class labels and attention labels, without the rates."""
        attention = self.attention_labels
        return self.x, self.class_labels, attention and attention.log_probabilities


def hard_labels(num_classes: int, per_class: int) -> Float[Tensor, "m c"]:
    """One-hot rows, per_class of each class in turn."""
    return torch.eye(num_classes).repeat_interleave(per_class, dim=0)


def init_phi(
    config: SyntheticConfig,
    num_layers: int,
    num_heads: int,
    x: Float[Tensor, "m s e"],
    generator: torch.Generator,
) -> Phi:
    """Leaf tensors on the CPU: X as given, labels from one-hot values, attention from N(0, 1)."""
    phi: Phi = {"x": x.clone()}
    if config.class_labels != "hard":
        phi["labels"] = hard_labels(config.num_classes, config.per_class)
    if config.attention_labels != "none":
        rows = (config.seq_len,) if config.attention_labels == "all" else ()
        shape = (len(x), num_layers, num_heads, *rows, config.seq_len)
        phi["attention"] = torch.randn(shape, generator=generator)
    if config.learn_lr == "shared":
        phi["log_lr"] = torch.tensor(config.lr).log()
        phi["log_lr_decay"] = torch.tensor(config.lr_decay).log()
    elif config.learn_lr == "per_step":
        phi["log_lr"] = _schedule(config.lr, config.lr_decay, config.num_steps).log()
    return {name: tensor.requires_grad_() for name, tensor in phi.items()}


def materialise(config: SyntheticConfig, phi: Phi) -> DistilledData:
    """The distilled data that phi parametrises, differentiable in phi."""
    x = phi["x"]
    if config.class_labels == "hard":
        labels = hard_labels(config.num_classes, config.per_class).to(x)
    elif config.class_labels == "restricted":
        labels = phi["labels"].softmax(-1)
    else:
        labels = phi["labels"]
    attention = None
    if config.attention_labels != "none":
        log_probabilities = phi["attention"].log_softmax(-1)
        attention = AttentionLabels.unpacked(config.attention_labels, log_probabilities)
    return DistilledData(x, labels, attention, _learned_rates(config, phi).to(x))


def _learned_rates(config: SyntheticConfig, phi: Phi) -> Float[Tensor, " t"]:
    if config.learn_lr == "none":
        return _schedule(config.lr, config.lr_decay, config.num_steps)
    if config.learn_lr == "per_step":
        return phi["log_lr"].exp()
    powers = torch.arange(config.num_steps).to(phi["log_lr"])
    return (phi["log_lr"] + powers * phi["log_lr_decay"]).exp()


def _schedule(lr: float, decay: float, num_steps: int) -> Float[Tensor, " t"]:
    return lr * decay ** torch.arange(num_steps)
