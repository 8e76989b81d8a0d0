"""phi: the tensors that are learned, and the distilled data that they stand for."""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor

Labels = Literal["hard", "restricted", "unrestricted"]
AttentionLabels = Literal["none", "cls", "all"]
LearnLr = Literal["none", "shared", "per_step"]
LABELS: tuple[Labels, ...] = get_args(Labels)
ATTENTION_LABELS: tuple[AttentionLabels, ...] = get_args(AttentionLabels)
LEARN_LRS: tuple[LearnLr, ...] = get_args(LearnLr)

# phi by name. Only tensors that are learned are in it, and each is a leaf:
#   "x" M x S x E, "labels" M x C, "attention" logits of the attention labels,
#   "log_lr" () or T, "log_lr_decay" ().
Phi = dict[str, Tensor]


class SyntheticConfig(NamedTuple):
    """Which tensors are learned, and their sizes.

    Attributes:
        num_classes: C.
        per_class: distilled samples a class; M = per_class * C.
        seq_len: S.
        labels: how the distilled labels are learned.
        attention_labels: which rows of the attention have labels.
        num_steps: T.
        lr, lr_decay: the rate of inner step t is lr * lr_decay^(t-1), where not learned.
        learn_lr: which rates are learned.
    """

    num_classes: int
    per_class: int
    seq_len: int
    labels: Labels
    attention_labels: AttentionLabels
    num_steps: int
    lr: float
    lr_decay: float
    learn_lr: LearnLr


class DistilledData(NamedTuple):
    """What a learner is trained on.

    Attributes:
        x: vectors that enter the first block.
        labels: one row a sample; a distribution unless unrestricted.
        attention: log-probabilities over keys, M x L x Hd x S (cls) or M x L x Hd x S x S (all);
            None without attention labels.
        lrs: one learning rate an inner step.
    """

    x: Float[Tensor, "m s e"]
    labels: Float[Tensor, "m c"]
    attention: Tensor | None
    lrs: Float[Tensor, " t"]

    def map(self, function: Callable[[Tensor], Tensor]) -> "DistilledData":
        """The same data with ``function`` applied to each tensor."""
        attention = None if self.attention is None else function(self.attention)
        return DistilledData(function(self.x), function(self.labels), attention, function(self.lrs))


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
    if config.labels != "hard":
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
    """The distilled data that phi stands for, differentiable in phi."""
    x = phi["x"]
    if config.labels == "hard":
        labels = hard_labels(config.num_classes, config.per_class).to(x)
    elif config.labels == "restricted":
        labels = phi["labels"].softmax(-1)
    else:
        labels = phi["labels"]
    attention = phi["attention"].log_softmax(-1) if "attention" in phi else None
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
