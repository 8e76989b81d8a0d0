"""EVALUATE: the same with learners that are trained otherwise than the distilled data says."""

from collections.abc import Sequence
from pathlib import Path

import torch

from ..artifacts import Artifact, load_artifact
from ..context.bench import Bench, SplitName, open_bench
from ..context.reporting import LearnerOutcome, Reporter
from ..context.settings import Settings
from ..context.variation import REAL_SAMPLES, Variation
from ..distillation.inner import InnerLoss
from ..evaluation.heads import head_of_learner
from ..evaluation.learner_series import tested_learners
from ..evaluation.rate_search import ADAM_LRS, SGD_LRS, choose_lr
from ..evaluation.sample_rows import chosen_rows, random_rows
from ..evaluation.varied_training import (
    Training,
    decoded,
    labelled,
    train_varied,
    with_real_samples,
)
from ..learners import learner_params
from ..learners.encoder import Params


def evaluate_varied(
    variation: Variation,
    settings: Settings,
    init_seeds: Sequence[int],
    artifact_path: Path,
    reporter: Reporter,
    work_dir: Path,
) -> LearnerOutcome:
    """One learner per init seed, trained as the variation says; a rate is chosen on validation."""
    reporter.progress("loading", 0, len(init_seeds), {})
    settings, artifact = variation.settings(settings), load_artifact(artifact_path)
    bench = open_bench(settings, _splits(variation))
    learners = _Learners(variation, settings, bench, artifact, reporter, work_dir)
    lr = 0.0
    if variation.searches_lr:
        lrs = ADAM_LRS if variation.optimiser == "adam" else SGD_LRS
        lr = choose_lr(lrs, learners.train, init_seeds, settings, bench, reporter, work_dir)
    outcomes = tested_learners(
        init_seeds, lambda seed: learners.train(seed, lr), settings, bench, reporter, work_dir
    )
    data = artifact.data
    return LearnerOutcome(outcomes, len(data.x), variation.num_gd_steps(data), lr)


def _splits(variation: Variation) -> tuple[SplitName, ...]:
    """Those that are needed; the test split for the last measurement alone."""
    train: tuple[SplitName, ...] = ("train",) if variation.samples in REAL_SAMPLES else ()
    validation: tuple[SplitName, ...] = ("validation",) if variation.searches_lr else ()
    return (*train, *validation, "test")


class _Learners:
    """Trains the learners of a variation."""

    def __init__(
        self,
        variation: Variation,
        settings: Settings,
        bench: Bench,
        artifact: Artifact,
        reporter: Reporter,
        work_dir: Path,
    ) -> None:
        self.variation, self.settings, self.bench = variation, settings, bench
        inner, config = artifact.manifest["inner_loss"], bench.encoder.config
        self.loss = InnerLoss(
            config,
            inner["attention_lambda"],
            inner["attention_reduction"],
            num_keys=artifact.data.x.shape[1],
        )
        data = labelled(variation, artifact.data, config).map(lambda t: t.to(bench.device))
        if variation.samples == "decoded":
            data = data._replace(x=decoded(bench.encoder, data.x))
        self.data = data
        if variation.samples == "random":
            self.rows_of = random_rows(settings, bench)
        elif variation.samples in ("herding", "kcenter"):
            self.rows_of = chosen_rows(variation.samples, settings, bench, reporter, work_dir)

    def train(self, init_seed: int, lr: float) -> Params:
        """A learner; ``lr`` is the rate of every step, or 0 for those of the distilled data."""
        training = self._training(init_seed)
        if lr:
            lrs = torch.full_like(training.data.lrs, lr)
            training = training._replace(data=training.data._replace(lrs=lrs))
        head = head_of_learner(self.settings, self.bench, init_seed)
        theta = learner_params(self.bench.encoder, head)
        return train_varied(self.variation, self.loss, training, theta, init_seed)

    def _training(self, init_seed: int) -> Training:
        if self.variation.samples not in REAL_SAMPLES:
            return Training(self.data)
        return with_real_samples(self.data, self.bench, self.rows_of(init_seed))
