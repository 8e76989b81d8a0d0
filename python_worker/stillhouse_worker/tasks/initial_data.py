"""Distilled data before its first outer step."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import layer_norm

from ..context.bench import Bench
from ..context.settings import LabelInit
from ..datasets import RealSplit, collate, length_sorted_batches
from ..datasets.pixel_batches import PixelSplit
from ..datasets.sampling import draw_rows
from ..distillation.synthetic import Phi, SyntheticConfig, init_phi, one_hot
from ..errors import StillhouseError
from ..evaluation.reading import MEASURE_BATCH_SIZE
from ..learners.interface import Params
from ..seeding import generator
from .class_mean_start import samples_at_class_means
from .teacher import teacher_of

# Share of a smoothed label that is spread over all classes.
_SMOOTHING = 0.1


def initial_phi(bench: Bench, synthetic: SyntheticConfig) -> Phi:
    """The tensors that are learned, as the settings of the task say where they start.

    Raises:
        StillhouseError: ``invalid`` where samples cannot start at class means.
        Stopped: a stop was requested.
    """
    settings, learner = bench.task.settings, bench.learner
    classes = synthetic.sample_classes
    x, draws = initial_noise(bench, len(classes), settings.seed)
    if settings.distilled.x_init != "noise":
        x = embed_real_samples(bench, x, classes, draws)
    if settings.distilled.x_init == "class_means":
        x = samples_at_class_means(bench, x, classes)
    labels = starting_labels(bench, settings.distilled.label_init, classes)
    states = None if synthetic.hidden_labels == "none" else starting_states(bench, x)
    is_own = settings.distilled.attention_init == "samples" or _is_taught(bench)
    has_attention = synthetic.attention_labels != "none"
    attention = starting_attention(bench, synthetic, x) if has_attention and is_own else None
    return init_phi(synthetic, *learner.attention, x, draws, labels, states, attention)


def initial_shapes(bench: Bench, synthetic: SyntheticConfig) -> Phi:
    """The same tensors with other values, which cost nothing: for a checkpoint to replace."""
    settings = bench.task.settings
    distilled = settings.distilled._replace(
        x_init="noise", label_init="one_hot", attention_init="noise", internal_labels="learned"
    )
    task = bench.task._replace(settings=settings._replace(distilled=distilled))
    return initial_phi(bench._replace(task=task), synthetic)


def initial_noise(bench: Bench, num_samples: int, seed: int) -> tuple[Tensor, torch.Generator]:
    """N(0, 1) for the samples, and the generator as it is afterwards, which draws real rows."""
    draws = generator(seed, "distilled data")
    seq_len = bench.task.settings.distilled.seq_len
    shape = (num_samples, *bench.learner.entry_shape(seq_len))
    return torch.randn(shape, generator=draws), draws


def embed_real_samples(
    bench: Bench, x: Tensor, classes: list[int], draws: torch.Generator
) -> Tensor:
    """Replace the noise ``x`` by embedded training samples: images, or texts as far as they go.

    Args:
        bench: data and encoder.
        x: noise, M samples; positions beyond the end of a text stay noise.
        classes: of the text of each sample.
        draws: generator of the draw.

    Raises:
        StillhouseError: ``invalid`` where a class has no training sample.
    """
    x = x.clone()
    train = bench.splits["train"]
    rows = _rows_for(bench, train, classes, draws)
    if isinstance(train, PixelSplit):
        return bench.learner.embed(train.pixels[rows].to(bench.device)).cpu()
    for sample, row in zip(x, rows, strict=True):
        batch = collate(train, row[None])
        length = min(int(batch.mask.sum()), len(sample))
        inputs = (part[:, :length].to(bench.device) for part in batch.inputs)
        sample[:length] = bench.learner.embed(*inputs)[0].cpu()
    return x


def _rows_for(bench: Bench, train: RealSplit, classes: list[int], draws: torch.Generator) -> Tensor:
    present = set(train.labels.tolist())
    if missing := [label for label in sorted(set(classes)) if label not in present]:
        names = ", ".join(bench.dataset.class_names[label] for label in missing)
        raise StillhouseError(
            "invalid",
            "distilled.x_init must be noise where a class has no training sample to start from, as "
            f"{names} has none; got {bench.task.settings.distilled.x_init}",
            field="distilled.x_init",
        )
    return draw_rows(train, classes, draws, repeats=True)


def starting_labels(bench: Bench, kind: LabelInit, classes: list[int]) -> Float[Tensor, "m c"]:
    """Learned class labels, or what their softmax is taken of, at their start.

    Sucholutsky and Schonlau (2021) start from all of these. With "class_distance" a class counts
    the more the nearer it is to that of the sample: 1 - d, where d is the squared distance of the
    means of the two classes, over the largest of all.
    """
    labels = one_hot(bench.num_classes, classes)
    if kind == "smoothed":
        return (1 - _SMOOTHING) * labels + _SMOOTHING / bench.num_classes
    if kind == "noise":
        draws = generator(bench.task.settings.seed, "class labels")
        return torch.randn(labels.shape, generator=draws)
    if kind == "class_distance":
        means = class_means_at_entry(bench)
        squares = torch.cdist(means, means).square()
        return (1 - squares / squares.max().clamp(min=1e-30))[classes]
    return labels


@torch.no_grad()
def starting_states(bench: Bench, x: Tensor) -> Float[Tensor, "m l e"]:
    """Hidden labels at their start: N(0, 1), or the first token's vectors of the samples.

    Those are of the learner that the first outer step starts from. There the inner loss is the
    least, but its derivative in the labels along a direction of theta is not zero. Or they are the
    teacher's, and are not drawn then.

    Args:
        bench: data and learner.
        x: the samples at their start.
    """
    settings, learner = bench.task.settings, bench.learner
    output = learner.forward(_labelling(bench), x.to(bench.device))
    states = torch.stack([part.cpu() for part in output.hidden], 1)
    if settings.distilled.hidden_init == "noise" and not _is_taught(bench):
        return torch.randn(states.shape, generator=generator(settings.seed, "hidden labels"))
    if settings.distilled.hidden_loss == "mse":
        return layer_norm(states, states.shape[-1:])
    return states


@torch.no_grad()
def starting_attention(
    bench: Bench, synthetic: SyntheticConfig, x: Float[Tensor, "m s e"]
) -> Float[Tensor, "m l h ..."]:
    """Logits of the attention labels that are the pretrained encoder's own on the samples.

    There the attention loss of the first inner step is 0 and moves nothing, where labels that are
    drawn first pull the encoder away from its attention. Or they are the teacher's.

    Args:
        bench: data and learner.
        synthetic: which queries have labels.
        x: the samples at their start.

    Returns:
        M x L x Hd x S, or x S x S for labels of all tokens.
    """
    is_of_all = synthetic.attention_labels == "all"
    output = bench.learner.forward(
        _labelling(bench),
        x.to(bench.device),
        score_rows="all" if is_of_all else "first",
    )
    logs = [scores.cpu().log_softmax(-1) for scores in output.scores]
    return torch.stack([part if is_of_all else part[:, :, 0] for part in logs], 1)


def _is_taught(bench: Bench) -> bool:
    return bench.task.settings.distilled.internal_labels == "teacher"


def _labelling(bench: Bench) -> Params:
    """theta of the learner whose inside the labels are of."""
    return teacher_of(bench) if _is_taught(bench) else bench.starts.of_outer_step(0)


@torch.no_grad()
def class_means_at_entry(bench: Bench) -> Float[Tensor, "c e"]:
    """For each class the mean of its training samples: of images, or of texts, each the mean of its
    embedded tokens."""
    train, parts, labels = bench.splits["train"], [], []
    for rows in length_sorted_batches(train.lengths, MEASURE_BATCH_SIZE):
        batch = collate(train, rows)
        vectors = bench.learner.embed(*(part.to(bench.device) for part in batch.inputs)).cpu()
        if batch.mask is None:
            parts.append(vectors.flatten(1))
        else:
            mask = batch.mask[..., None]
            parts.append((vectors * mask).sum(1) / mask.sum(1))
        labels.append(batch.labels)
    means, classes = torch.cat(parts), torch.cat(labels).long()
    totals = torch.zeros(bench.num_classes, means.shape[1]).index_add_(0, classes, means)
    counts = torch.bincount(classes, minlength=bench.num_classes)
    return totals / counts.clamp(min=1)[:, None]
