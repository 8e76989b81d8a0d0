"""BASELINE: what the distilled data is compared with, under the same protocol."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F

from ..datasets import Batch, collate
from ..datasets.sampling import draw_rows
from ..distillation.inner import leaves, sgd
from ..evaluation import measure
from ..learners import draw_head, forward, learner_params
from ..learners.encoder import Params
from ..seeding import generator
from ..tensorfile import write_bytes
from .full_training import train_full
from .learner_series import mean_and_std, measure_learners, tester
from .opening import Bench, open_bench
from .reporting import LearnerOutcome, Reporter, Stopped
from .settings import Settings

# Rates that random real samples are tried with on validation, since a random baseline with an
# untuned rate flatters the distilled data.
RANDOM_LRS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5)
_RATE_NAME = "chosen_lr.json"


def full_baseline(
    settings: Settings, init_seeds: Sequence[int], reporter: Reporter, work_dir: Path
) -> LearnerOutcome:
    """A learner, embeddings included, trained on all of train; tested once."""
    bench = open_bench(settings, ("train", "validation", "test"))
    head = _test_head(settings, bench, init_seeds[0])
    trained = train_full(settings, bench, learner_params(bench.encoder, head), reporter, work_dir)
    bench = bench._replace(encoder=trained.encoder)
    outcomes = measure_learners(
        init_seeds[:1],
        lambda _: trained.params,
        tester(bench, "test", settings.precision, reporter),
        reporter,
        work_dir,
    )
    return LearnerOutcome(outcomes, len(bench.tokens["train"].labels), trained.gd_steps)


def untrained_baseline(
    settings: Settings, init_seeds: Sequence[int], reporter: Reporter, work_dir: Path
) -> LearnerOutcome:
    """Learners before any training."""
    reporter.progress("loading", 0, len(init_seeds), {})
    bench = open_bench(settings, ("test",))
    outcomes = measure_learners(
        init_seeds,
        lambda seed: learner_params(bench.encoder, _test_head(settings, bench, seed)),
        tester(bench, "test", settings.precision, reporter),
        reporter,
        work_dir,
    )
    return LearnerOutcome(outcomes, 0, 0)


def random_baseline(
    settings: Settings, init_seeds: Sequence[int], reporter: Reporter, work_dir: Path
) -> LearnerOutcome:
    """Learners trained on as many real samples as there are distilled ones.

    Every learner draws its own samples; the rate is the one of `RANDOM_LRS` whose mean accuracy
    on validation over the same draws is best.
    """
    reporter.progress("loading", 0, len(init_seeds), {})
    bench = open_bench(settings, ("train", "validation", "test"))
    lr = _choose_lr(settings, bench, init_seeds, reporter, work_dir)
    outcomes = measure_learners(
        init_seeds,
        lambda seed: _train_on_random(settings, bench, seed, lr),
        tester(bench, "test", settings.precision, reporter),
        reporter,
        work_dir,
    )
    num_samples = settings.distilled.per_class * len(bench.dataset.class_names)
    return LearnerOutcome(outcomes, num_samples, settings.distilled.num_steps, lr)


def _choose_lr(
    settings: Settings, bench: Bench, init_seeds: Sequence[int], reporter: Reporter, work_dir: Path
) -> float:
    path = work_dir / _RATE_NAME
    means: dict[str, float] = json.loads(path.read_bytes()) if path.exists() else {}
    for index, lr in enumerate(RANDOM_LRS):
        if reporter.stop_requested():
            raise Stopped
        if str(lr) not in means:
            means[str(lr)] = _validation_mean(settings, bench, init_seeds, lr)
            write_bytes(path, json.dumps(means).encode())
        reporter.metric("validation_accuracy", index, means[str(lr)])
        reporter.progress("choosing the learning rate", index + 1, len(RANDOM_LRS), {})
    return max(RANDOM_LRS, key=lambda lr: means[str(lr)])


def _validation_mean(
    settings: Settings, bench: Bench, init_seeds: Sequence[int], lr: float
) -> float:
    accuracies = []
    for seed in init_seeds:
        theta = _train_on_random(settings, bench, seed, lr)
        tokens = bench.tokens["validation"]
        accuracies.append(measure(bench.encoder, theta, tokens, settings.precision).accuracy)
    return mean_and_std(accuracies)[0]


def _train_on_random(settings: Settings, bench: Bench, init_seed: int, lr: float) -> Params:
    tokens, num_classes = bench.tokens["train"], len(bench.dataset.class_names)
    draws = generator(init_seed, "random samples")
    rows = draw_rows(tokens, num_classes, settings.distilled.per_class, draws)
    batch = Batch(*(tensor.to(bench.device) for tensor in collate(tokens, rows)))
    entry = bench.encoder.embed(batch.input_ids, batch.token_type_ids)
    theta = learner_params(bench.encoder, _test_head(settings, bench, init_seed))
    for _ in range(settings.distilled.num_steps):
        theta = leaves(theta)
        logits = forward(bench.encoder.config, theta, entry, batch.mask).logits
        loss = F.cross_entropy(logits, batch.labels)
        grads = torch.autograd.grad(loss, list(theta.values()))
        with torch.no_grad():
            theta = sgd(theta, grads, lr)
    return theta


def _test_head(settings: Settings, bench: Bench, init_seed: int) -> Params:
    """The same head that a learner of distilled data with this init seed starts from."""
    model = settings.model
    draws = (
        generator(settings.seed, "fixed head")
        if model.fixed_init
        else generator(init_seed, "test head")
    )
    width, num_classes = bench.encoder.config.width, len(bench.dataset.class_names)
    return draw_head(width, num_classes, model.head_init, draws)
