"""The settings of a task in the core's own types; `convert` makes them from the spec."""

from typing import Any, Literal, NamedTuple

import torch

from ..datasets import Reading
from ..datasets.parts import DataPart
from ..distillation.inner_rates import LearnLr, RateForm
from ..distillation.losses import (
    AttentionLoss,
    AttentionReduction,
    HiddenLoss,
    HiddenSchedule,
    HiddenTerm,
)
from ..distillation.outer import OuterConfig
from ..distillation.synthetic import (
    AttentionKind,
    ClassLabelKind,
    HiddenKind,
    SyntheticConfig,
    block_classes,
)
from ..learners.encoder_config import Pooling
from ..learners.head import HeadInit
from ..learners.precision import Precision
from ..seeding import generator

LabelInit = Literal["one_hot", "smoothed", "noise", "class_distance"]


class DataSettings(NamedTuple):
    """Which rows: see ``DatasetSpec``.

    Attributes:
        shape: channels, height and width that images are brought to; None: they stay as they are.
        part: of it that is used; None: all of it.
    """

    name: str
    source: str
    data_dir: str
    fingerprint: str
    max_length: int
    reading: Reading
    shape: tuple[int, int, int] | None = None
    part: DataPart | None = None


class EmbeddingSettings(NamedTuple):
    """Which word vectors: see ``ModelSpec.embeddings``.

    Attributes:
        path: of their folder or file; empty where a package has them.
    """

    name: str
    path: str
    fingerprint: str


class ModelSettings(NamedTuple):
    """Which learner: see ``ModelSpec``.

    Attributes:
        embeddings: of a network of words alone.
    """

    name: str
    source: str
    fingerprint: str
    head_init: HeadInit
    fixed_init: bool
    pooling: Pooling = "first"
    embeddings: EmbeddingSettings | None = None

    def document(self) -> dict[str, Any]:
        """As the manifest of distilled data has it."""
        facts = self._asdict()
        if self.embeddings is None:
            del facts["embeddings"]
        else:
            facts["embeddings"] = self.embeddings._asdict()
        return facts


ObjectiveKind = Literal["basic", "adapt", "attack"]


class ObjectiveSettings(NamedTuple):
    """What learners that are trained on the distilled data are to do: see ``ObjectiveSpec``.

    Attributes:
        source: of "adapt", what the learners of the pool are trained on.
        attack_class, target_class: of "attack".
    """

    kind: ObjectiveKind = "basic"
    source: DataSettings | None = None
    attack_class: int = 0
    target_class: int = 0

    def targets(self, num_classes: int) -> list[int]:
        """For each class the one that its rows are to be taken for."""
        targets = list(range(num_classes))
        if self.kind == "attack":
            targets[self.attack_class] = self.target_class
        return targets

    def facts(self) -> dict[str, Any]:
        """For the manifest of an artifact; empty where it teaches its data set alone."""
        if self.kind == "adapt" and self.source is not None:
            own = {"source": self.source.name, "source_fingerprint": self.source.fingerprint}
            return {"objective": {"kind": self.kind, **own}}
        if self.kind == "attack":
            own_classes = {"attack_class": self.attack_class, "target_class": self.target_class}
            return {"objective": {"kind": self.kind, **own_classes}}
        return {}


class PoolSettings(NamedTuple):
    """How the learners of a pool are trained: see ``PoolSpec``.

    Attributes:
        lr: Adam's rate at the start.
        lr_halving_epochs: passes between two halvings of it; 0: it stays.
    """

    size: int
    epochs: int
    batch_size: int
    lr: float
    lr_halving_epochs: int


ReplayMethod = Literal["naive", "simple", "distilled", "joint"]


class ReplaySettings(NamedTuple):
    """How learners are trained in continual learning: see ``ReplaySpec``.

    Attributes:
        tasks: in the order in which they come.
        num_steps: of a learner per task; 0: as many as ``epochs`` says.
        epochs: passes over a task's rows, at their share of a batch.
        batch_size: of all tasks together.
        lr: of plain SGD.
    """

    tasks: tuple[DataPart, ...]
    num_steps: int
    epochs: int
    batch_size: int
    lr: float


class DistilledSettings(NamedTuple):
    """The distilled data but for the number of classes: see ``DistilledSpec``, ``InnerSpec``.

    Attributes:
        samples: of a block, whatever their classes; 0: ``per_class`` of each class.
        sample_classes: their classes at the start; empty: drawn.
        lr: of the first inner step; 0: searched at the start, where rates are learned.
        dropout: probability of a value to be dropped in inner steps, those of learners that are
            measured among them.
    """

    per_class: int
    seq_len: int
    x_init: Literal["noise", "real", "class_means"]
    class_labels: ClassLabelKind
    attention_labels: AttentionKind
    attention_lambda: float
    attention_reduction: AttentionReduction
    artifact_dtype: str
    num_steps: int
    lr: float
    lr_decay: float
    learn_lr: LearnLr
    inner_precision: Precision
    samples: int = 0
    sample_classes: tuple[int, ...] = ()
    label_init: LabelInit = "one_hot"
    blocks: int = 1
    rate_form: RateForm = "exp"
    encoder_lr_scale: float = 0.0
    dropout: float = 0.0
    attention_loss: AttentionLoss = "kl"
    hidden_labels: HiddenKind = "none"
    hidden_loss: HiddenLoss = "cosine"
    hidden_weight: float = 1.0
    learn_hidden_weight: bool = False
    hidden_init: Literal["noise", "samples"] = "noise"
    hidden_schedule: HiddenSchedule = "all"
    attention_init: Literal["noise", "samples"] = "noise"
    internal_labels: Literal["learned", "teacher"] = "learned"

    @property
    def hidden(self) -> HiddenTerm:
        """What learners are asked of their hidden states, where there are labels of them."""
        return HiddenTerm(self.hidden_loss, self.hidden_schedule, self.num_steps)

    def classes(self, num_classes: int, seed: int) -> list[int]:
        """The class of each sample of a block at its start.

        Where they are drawn, as many of each class as of any other, or one more.
        """
        if not self.samples or self.sample_classes:
            return block_classes(num_classes, self.per_class, self.sample_classes)
        rounds, rest = divmod(self.samples, num_classes)
        extra = torch.randperm(num_classes, generator=generator(seed, "sample classes"))[:rest]
        return sorted([*range(num_classes)] * rounds + extra.tolist())

    def synthetic(self, num_classes: int, seed: int) -> SyntheticConfig:
        """The core's configuration for a data set with ``num_classes``."""
        return SyntheticConfig(
            num_classes,
            self.per_class,
            self.seq_len,
            self.class_labels,
            self.attention_labels,
            self.num_steps,
            self.lr or 1.0,  # what a search finds takes its place
            self.lr_decay,
            self.learn_lr,
            tuple(self.classes(num_classes, seed)),
            self.blocks,
            self.rate_form,
            self.encoder_lr_scale,
            self.hidden_labels,
            self.hidden_weight,
            self.learn_hidden_weight,
            self.internal_labels == "teacher",
        )


class FullSettings(NamedTuple):
    """Training on the full data: see ``BaselineSpec``; its warm-up is that of the outer loop.

    Attributes:
        lr: Adam's rate at its peak; 0: the best of a few on validation.
    """

    epochs: int
    batch_size: int
    lr: float
    dropout: float


class Settings(NamedTuple):
    """A resolved spec, each fact of it once.

    Attributes:
        validations: how many times validation accuracy is measured while distilling.
        validation_inits: learners of each measurement, each on a share of the rows: heads differ
            more than rows do.
        num_devices: processes that share an outer step, each on a device from ``device`` on.
        select: keep the step with the best validation accuracy, else the last.
        precision: of the outer batch, of training on real texts and of measuring.
        pool: of pretrained learners that others start from; None: all start from their own draws.
        objective: what the outer loss asks of learners.
        replay: of continual learning; None: the experiment is none.
    """

    data: DataSettings
    model: ModelSettings
    distilled: DistilledSettings
    outer: OuterConfig
    full: FullSettings
    validations: int
    validation_inits: int
    select: bool
    device: str
    num_devices: int
    precision: Precision
    seed: int
    pool: PoolSettings | None = None
    objective: ObjectiveSettings = ObjectiveSettings()
    replay: ReplaySettings | None = None
