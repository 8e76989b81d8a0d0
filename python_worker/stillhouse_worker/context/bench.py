"""Open the data set and the encoder that a task works on."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from ..datasets import Dataset, RealSplit, TokenSplit, load_dataset, tokenise
from ..datasets.parts import part_of
from ..datasets.pixel_batches import pixel_split
from ..datasets.resizing import resized, statistics_of
from ..datasets.rows import SPLIT_NAMES, ImageShape, SplitName
from ..errors import StillhouseError
from ..learners import Encoder, Learner, WordNet
from ..learners.interface import Params
from ..learners.nets import make_net
from ..learners.pool import open_pool
from ..learners.starts import Starts
from ..models.catalog import model_fingerprint, model_folder
from ..models.nets import net_fingerprint
from ..models.opened import load_encoder
from ..models.opened_words import load_word_net
from .settings import DataSettings, ModelSettings, Settings
from .task_context import TaskContext


class Bench(NamedTuple):
    """A task with its data set, learner and device.

    Attributes:
        task: its context.
        dataset: its facts; only the splits that were asked for are in memory.
        splits: those, tokenised, or as pixels.
        learner: what is trained, on the device.
        device: where to compute.
    """

    task: TaskContext
    dataset: Dataset
    splits: dict[str, RealSplit]
    learner: Learner
    device: torch.device

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.dataset.class_names)

    @property
    def encoder(self) -> Encoder:
        """The learner as an encoder of texts.

        Raises:
            StillhouseError: ``invalid`` where it is another kind.
        """
        if not isinstance(self.learner, Encoder):
            name = self.task.settings.model.name
            raise StillhouseError(
                "invalid", f"this task needs a pretrained encoder, not {name}", field="model.name"
            )
        return self.learner

    def texts(self, split: SplitName) -> TokenSplit:
        """The tokens of a split.

        Raises:
            StillhouseError: ``invalid`` where it holds images.
        """
        own = self.splits[split]
        if not isinstance(own, TokenSplit):
            raise StillhouseError(
                "invalid", "this task needs texts, not images", field="dataset.name"
            )
        return own

    @property
    def starts(self) -> Starts:
        """Where learners start from."""
        seed, model = self.task.settings.seed, self.task.settings.model
        pool = open_pool(self.task.pool, self.device)
        given = pool if pool.starts_learners else None
        return Starts(
            self.learner, self.num_classes, seed, model.head_init, model.fixed_init, given
        )

    def test_learner(self, init_seed: int) -> Params:
        """theta before training, of the test learner with this init seed."""
        return self.starts.of_test_learner(init_seed)


def open_for_learners(task: TaskContext, splits: Sequence[SplitName] = SPLIT_NAMES) -> Bench:
    """`open_bench` for a task that tests learners, with "loading" as its progress."""
    task.reporter.progress("loading", 0, len(task.init_seeds), {})
    return open_bench(task, splits)


def open_bench(
    task: TaskContext, splits: Sequence[SplitName], data: DataSettings | None = None
) -> Bench:
    """Load the named splits and the encoder.

    Args:
        task: whose settings say which.
        splits: to keep.
        data: another data set than that of the settings; None: that one.

    Raises:
        StillhouseError: ``conflict`` when data set or model is not the one that was resolved.
    """
    settings = task.settings
    data, device = data or settings.data, torch.device(settings.device)
    dataset = load_dataset(
        data.name,
        source=data.source,
        data_dir=data.data_dir or None,
        splits=splits,
        reading=data.reading,
    )
    if dataset.fingerprint != data.fingerprint:
        raise StillhouseError(
            "conflict",
            f"the data set {data.name} has changed since the experiment was created: its "
            f"fingerprint is {dataset.fingerprint[:12]}, not {data.fingerprint[:12]}; create a new "
            "experiment",
            field="dataset.fingerprint",
        )
    opened = _of_texts if dataset.image is None else _of_images
    learner, own = opened(dataset, settings._replace(data=data))
    if data.part is not None:
        own = {name: part_of(split, data.part) for name, split in own.items()}
    return Bench(task, dataset, own, learner.to(device), device)


def _of_texts(dataset: Dataset, settings: Settings) -> tuple[Learner, dict[str, RealSplit]]:
    learner = _load_text_learner(settings.model)
    return learner, {
        name: tokenise(split, learner.tokenizer, settings.data.max_length)
        for name, split in dataset.splits.items()
    }


def _of_images(dataset: Dataset, settings: Settings) -> tuple[Learner, dict[str, RealSplit]]:
    shape, statistics = dataset.image, dataset.pixels
    assert shape is not None, "a set of images has a shape"
    assert statistics is not None, "and statistics"
    name, fingerprint = settings.model.name, settings.model.fingerprint
    if net_fingerprint(name) != fingerprint:
        raise StillhouseError(
            "conflict",
            f"the network {name} has changed since the experiment was created; create a new one",
            field="model.fingerprint",
        )
    pixels = {name: pixel_split(split, shape) for name, split in dataset.splits.items()}
    if settings.data.shape is not None and settings.data.shape != tuple(shape):
        shape = ImageShape(*settings.data.shape)
        pixels = {name: resized(split, shape) for name, split in pixels.items()}
        statistics = statistics_of(pixels["train"].pixels)
    return make_net(name, shape, *statistics), dict(pixels)


def _load_text_learner(model: ModelSettings) -> Encoder | WordNet:
    name, fingerprint = model.name, model.fingerprint
    if model.embeddings is not None:
        return load_word_net(name, fingerprint, *model.embeddings)
    folder = model_folder(name)
    found = model_fingerprint(folder)
    if not found.is_of(fingerprint):
        raise StillhouseError(
            "conflict",
            f"the model {name} has changed since the experiment was created: the fingerprint of "
            f"its weights, config and tokenizer is {found.whole[:12]}, not {fingerprint[:12]}; "
            "create a new experiment",
            field="model.fingerprint",
        )
    return load_encoder(folder, model.pooling)
