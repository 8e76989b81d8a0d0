"""MiniLM on AG News at the study's S, batch and rates: as many outer steps as the time allows."""

import statistics
import time
from collections.abc import Iterator
from typing import NamedTuple

import torch

from stillhouse_worker.datasets import Reading, TokenSplit, load_dataset, select_rows, tokenise
from stillhouse_worker.distillation.inner import train_learner
from stillhouse_worker.distillation.outer import OuterLoop
from stillhouse_worker.distillation.synthetic import materialise
from stillhouse_worker.evaluation import measure
from stillhouse_worker.learners.encoder import Encoder
from stillhouse_worker.models.opened import load_encoder

from .._outer_loops import LoopSettings, inner_loss_of, outer_loop, starts_of
from .._shared import wait_for
from .device import prepared_device
from .part import Options, Row, judged

STUDY_EPOCHS = 20
# Steps whose time says how many there is time for.
PROBED = 20
# The share of the time for steps; the rest is for learners.
STEPPING = 0.8
MOST_LEARNERS, TEST_ROWS = 20, 2000
TINY_STEPS = 10


class Scene(NamedTuple):
    """Encoder, texts and settings."""

    encoder: Encoder
    train: TokenSplit
    test: TokenSplit
    settings: LoopSettings
    device: torch.device


def rows(options: Options) -> Iterator[Row]:
    """See `Rows`."""
    scene = _scene(options)
    study = STUDY_EPOCHS * -(-len(scene.train.labels) // scene.settings.batch_size)
    num_steps = TINY_STEPS if options.is_tiny else _steps_in_time(study, scene, options)
    loop = outer_loop(scene.encoder, scene.train, scene.settings._replace(num_steps=num_steps))
    for row in (_steps_row(loop, study, scene.device), _learners_row(loop, scene, options)):
        # So few steps on so few texts show nothing about what is learned.
        yield row._replace(verdict="measured") if options.is_tiny else row


def _scene(options: Options) -> Scene:
    device = prepared_device(options)
    encoder = load_encoder(options.model).to(device)
    dataset = load_dataset(
        options.dataset,
        source="local",
        data_dir=options.data_dir,
        splits=["train", "test"],
        reading=Reading(0.05, 0.2, "skip"),
    )
    most = encoder.config.max_positions
    train, test = (
        tokenise(dataset.splits[name], encoder.tokenizer, most) for name in ("train", "test")
    )
    S, batch_size = (6, 8) if options.is_tiny else (min(512, most), 48)
    settings = LoopSettings(
        S,
        batch_size,
        0,
        num_classes=len(dataset.class_names),
        outer="fp16" if device.type == "cuda" else "fp32",
    )
    return Scene(encoder, train, _some(test), settings, device)


def _some(tokens: TokenSplit) -> TokenSplit:
    """Rows from everywhere in a split, few enough to be read by many learners."""
    count = len(tokens.labels)
    return select_rows(tokens, torch.arange(0, count, max(1, count // TEST_ROWS)))


def _steps_in_time(study: int, scene: Scene, options: Options) -> int:
    """How many of the study's outer steps there is time for."""
    loop = outer_loop(scene.encoder, scene.train, scene.settings._replace(num_steps=study))
    for _ in range(PROBED):  # warms up
        loop.advance()
    started = time.perf_counter()
    for _ in range(PROBED):
        loop.advance()
    wait_for(scene.device)
    seconds = (time.perf_counter() - started) / PROBED
    fitting = int(STEPPING * max(0.0, options.seconds_left()) / seconds)
    return max(PROBED, min(study, fitting))


def _steps_row(loop: OuterLoop, study: int, device: torch.device) -> Row:
    num_steps = loop.config.num_steps
    losses: list[float] = []
    started = time.perf_counter()
    for _ in range(num_steps):
        step = loop.advance()
        if not step.skipped:
            losses.append(step.outer_loss)
    wait_for(device)
    per_second = num_steps / (time.perf_counter() - started)
    tenth = max(1, len(losses) // 10)
    first, last = statistics.mean(losses[:tenth]), statistics.mean(losses[-tenth:])
    text = (
        f"{num_steps:,} steps of {study:,} of the study, {per_second:.1f} per second; outer loss "
        f"{first:.3f} at first and {last:.3f} at last; {loop.optimiser.num_skipped} skipped"
    )
    figures = {
        "steps": num_steps,
        "steps_per_second": per_second,
        "first_loss": first,
        "last_loss": last,
        "skipped": loop.optimiser.num_skipped,
    }
    return judged("distilling", text, last < first, figures)


def _learners_row(loop: OuterLoop, scene: Scene, options: Options) -> Row:
    """Learners that the distilled data trains, on test."""
    data = materialise(loop.problem.synthetic, loop.phi)
    loss = inner_loss_of(scene.encoder, scene.settings, "fp32")
    starts = starts_of(scene.encoder, scene.settings)
    accuracies: list[float] = []
    while not accuracies or (len(accuracies) < MOST_LEARNERS and options.seconds_left() > 0):
        theta = train_learner(loss, data, starts.of_test_learner(len(accuracies)))
        accuracies.append(measure(scene.encoder, theta, scene.test, scene.settings.outer).accuracy)
    mean, spread = statistics.mean(accuracies), statistics.pstdev(accuracies)
    chance = 1 / scene.settings.num_classes
    said = (
        f"accuracy {100 * mean:.1f} ± {100 * spread:.1f} % of {len(accuracies)} learners on "
        f"{len(scene.test.labels):,} test rows (chance {100 * chance:.0f} %)"
    )
    return judged("learners", said, mean > chance, {"accuracies": accuracies})
