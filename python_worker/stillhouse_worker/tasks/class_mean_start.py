"""Samples that start at the means of their classes, in the space of frozen features.

A learner whose head is trained by one step on such samples is close to the classifier of class
means (Snell et al., 2017), and outer steps go on from its accuracy. To match means of features is
distribution matching (Zhao and Bilen, 2023), here with a pretrained encoder and before any
meta-gradient.
"""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from ..context.bench import Bench
from ..context.reporting import Reporter, Stopped
from ..datasets import select_rows
from ..datasets.pixel_batches import PixelSplit
from ..datasets.sampling import draw_rows
from ..distillation.adam import Adam
from ..errors import StillhouseError
from ..evaluation.centroids import class_centroids
from ..evaluation.coresets import features_of
from ..learners import Encoder
from ..seeding import generator

# Rows of train that the means are taken of, as many of each class: with 2,000 of AG News the
# classifier of class means is within a point of that of all rows.
_MOST_ROWS = 2048
# How far the samples are from the centre of all classes, over the distance of their class's mean:
# the head learns the differences alone, and what it was drawn with is noise beside them.
_AMPLIFICATION = 2.0
# Steps of Adam towards the means, and their rate at the first, in units of the entry.
_NUM_STEPS = 80
_LR = 0.03


def samples_at_class_means(
    bench: Bench, x: Float[Tensor, "m ..."], classes: list[int]
) -> Float[Tensor, "m ..."]:
    """Samples whose features are class means, moved away from the centre of all classes.

    A class with several samples has the centroids of so many groups of its rows instead. Images
    have no pretrained features, so theirs are the means of pixels themselves.

    Args:
        bench: data and learner.
        x: where an encoder's samples are moved from, embedded texts for instance.
        classes: of the samples.

    Raises:
        StillhouseError: ``invalid`` for a network of words, of which nothing is pretrained.
        Stopped: a stop was requested.
    """
    if isinstance(bench.splits["train"], PixelSplit):
        return _class_means(bench, classes).view(x.shape)
    if not isinstance(bench.learner, Encoder):
        raise StillhouseError(
            "invalid",
            "distilled.x_init must be noise or real for "
            f"{bench.task.settings.model.name}, of which nothing is pretrained, got class_means",
            field="distilled.x_init",
        )
    means = _class_means(bench, classes)
    centre = means.mean(0)
    return _with_features(bench, x, centre + _AMPLIFICATION * (means - centre))


def _class_means(bench: Bench, classes: list[int]) -> Float[Tensor, "m e"]:
    """The wanted mean of each sample."""
    settings, train, reporter = bench.task.settings, bench.splits["train"], bench.task.reporter
    draws = generator(settings.seed, "class means")
    per_class = max(1, _MOST_ROWS // bench.num_classes)
    rows = select_rows(train, draw_rows(train, sorted([*set(classes)] * per_class), draws))
    vectors = features_of(bench.learner, rows, settings.precision, partial(_on_rows, reporter))
    return class_centroids(vectors, rows.labels, classes, draws, repeats=True)[0]


def _with_features(
    bench: Bench, x: Float[Tensor, "m s entry"], wanted: Float[Tensor, "m e"]
) -> Float[Tensor, "m s entry"]:
    """``x``, moved by Adam until the pretrained encoder gives a head the wanted vectors."""
    moved = x.to(bench.device).requires_grad_()
    optimiser, goal = Adam([moved]), wanted.to(bench.device)
    mask = torch.ones(x.shape[:2], dtype=torch.bool, device=bench.device)
    for step in range(_NUM_STEPS):
        _on_step(bench.task.reporter, "matching class means", step, _NUM_STEPS)
        pooled = bench.encoder.pooled(moved, mask)
        grads = torch.autograd.grad((pooled - goal).square().sum(), [moved])
        optimiser.follow(grads, _LR * (1 - step / _NUM_STEPS))
    return moved.detach().cpu()


def _on_rows(reporter: Reporter, done: int, total: int) -> None:
    _on_step(reporter, "reading for class means", done, total)


def _on_step(reporter: Reporter, stage: str, done: int, total: int) -> None:
    if reporter.stop_requested():
        raise Stopped
    reporter.progress(stage, done, total, {})
