"""The model of an experiment: which one fits the data set, and the facts about it."""

from pathlib import Path
from typing import Any

from ..datasets.rows import Dataset
from ..errors import StillhouseError
from ..models.catalog import ModelLocation, model_fingerprint, net_location
from ..models.files import read_model_facts
from ..models.nets import DEFAULT_NET, NETS, is_net, net_fingerprint
from ..models.soundness import check_model
from ..models.trained_pooling import trained_pooling


def model_of(dataset: Dataset, found: ModelLocation, *, is_named: bool) -> ModelLocation:
    """The model of an experiment on a set: where none is named, images have a network.

    Raises:
        StillhouseError: invalid for a model of texts with images, and the other way round.
    """
    if dataset.image is not None and not is_named:
        return net_location(DEFAULT_NET)
    if is_net(found.name) == (dataset.image is not None):
        return found
    if dataset.image is None:
        held, read, fitting = "texts", "images", "such as minilm"
    else:
        held, read, fitting = f"{dataset.image} images", "texts", ", ".join(NETS)
    raise StillhouseError(
        "invalid",
        f"the model {found.name} reads {read}, and the data set {dataset.name} holds {held}; name "
        f"one that reads these ({fitting})",
        field="model.name",
    )


def model_facts(location: ModelLocation, dataset: Dataset) -> dict[str, Any]:
    """What the control plane has to know of a model that `model_of` gave.

    Raises:
        StillhouseError: invalid where it cannot be trained on this set.
    """
    if dataset.image is None:
        return _encoder_facts(location, dataset)
    return _net_facts(location, dataset)


def _net_facts(location: ModelLocation, dataset: Dataset) -> dict[str, Any]:
    from ..learners.nets import make_net, num_parameters  # with PyTorch, which takes seconds

    assert dataset.image is not None, "the set holds images"
    assert dataset.pixels is not None, "which have statistics"
    net = make_net(location.name, dataset.image, *dataset.pixels)
    return {
        "name": location.name,
        "source": location.source,
        "fingerprint": net_fingerprint(location.name),
        "weights_fingerprint": "",
        "substitute_for": "",
        "parameter_count": num_parameters(net, len(dataset.class_names)),
        "num_layers": 0,
        "num_heads": 0,
        # A distilled image counts as one vector.
        "width": dataset.image.num_values,
        "max_positions": 2**20,
        "entry_width": dataset.image.num_values,
        "attention_span": 0,
        "staged": False,
        "dropout": net.has_dropout,
        "pooling": "",
    }


def _encoder_facts(location: ModelLocation, dataset: Dataset) -> dict[str, Any]:
    folder = Path(location.path_or_id)
    has_pairs = len(dataset.text_columns) > 1
    facts = read_model_facts(folder)
    check_model(folder, facts, has_pairs=has_pairs)
    fingerprint = model_fingerprint(folder)
    return {
        "name": location.name,
        "source": location.source,
        "fingerprint": fingerprint.whole,
        "weights_fingerprint": fingerprint.weights,
        "substitute_for": location.substitute_for,
        "parameter_count": facts.parameter_count,
        "num_layers": facts.num_layers,
        "num_heads": facts.num_heads,
        "width": facts.width,
        "max_positions": facts.max_positions,
        "entry_width": facts.entry_width,
        "attention_span": facts.attention_span,
        "staged": facts.is_staged,
        "dropout": True,  # each has it, the head at least
        "pooling": trained_pooling(folder),
    }
