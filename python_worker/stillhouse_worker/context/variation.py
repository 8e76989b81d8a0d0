"""How the training of an evaluation's learners differs from what the distilled data says."""

from typing import Literal, NamedTuple

from ..distillation.synthetic import DistilledData
from ..learners import HeadInit
from .settings import Settings

Samples = Literal["distilled", "decoded", "random", "herding", "kcenter"]
REAL_SAMPLES: tuple[Samples, ...] = ("random", "herding", "kcenter")


class Variation(NamedTuple):
    """The differences; the defaults are what the distilled data says. See the proto's message.

    Attributes:
        steps: passes over a block, with rates and blocks again from the first; 0: one per rate.
        optimiser: of the inner steps.
        batch_size: samples per gradient step; 0: all of a block.
        shuffled: every learner and pass draws an order of the samples.
        head_init: initialisation of the head; None: the one distilled for.
        without_attention_labels, without_hidden_labels: that loss is left out.
        hard_labels: one-hot labels of the samples' classes.
        samples: what learners are trained on instead of the distilled vectors.
        searches_lr: one rate for all steps, the best of a few on validation.
        model: encoder to train; empty: the one distilled for.
        model_fingerprint: of its weights.
    """

    steps: int = 0
    optimiser: Literal["sgd", "adam"] = "sgd"
    batch_size: int = 0
    shuffled: bool = False
    head_init: HeadInit | None = None
    without_attention_labels: bool = False
    hard_labels: bool = False
    samples: Samples = "distilled"
    searches_lr: bool = False
    model: str = ""
    model_fingerprint: str = ""
    without_hidden_labels: bool = False

    def settings(self, settings: Settings) -> Settings:
        """The settings of an experiment with the model of this variation."""
        model = settings.model
        if self.model:
            model = model._replace(name=self.model, fingerprint=self.model_fingerprint)
        if self.head_init is not None:
            model = model._replace(head_init=self.head_init)
        return settings._replace(model=model)

    def num_gd_steps(self, data: DistilledData) -> int:
        """Gradient steps that a learner makes."""
        size = len(data.x) // data.num_blocks
        return (self.steps or len(data.lrs)) * -(-size // (self.batch_size or size))
