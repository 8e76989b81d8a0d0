"""The model of an experiment: which one fits the data set, and the facts about it."""

from pathlib import Path
from typing import Any

from ..datasets.rows import Dataset, Split
from ..errors import StillhouseError
from ..models.catalog import ModelLocation, model_fingerprint, net_location
from ..models.files import read_model_facts
from ..models.nets import DEFAULT_NET, NETS, WORD_NETS, is_net, is_word_net, net_fingerprint
from ..models.soundness import check_model
from ..models.trained_pooling import trained_pooling
from ..models.vector_files import VectorTable
from ..models.word_vectors import (
    DEFAULT_EMBEDDINGS,
    VectorsLocation,
    locate_vectors,
    open_vectors,
    vectors_fingerprint,
)

# Shares that were counted, by data set and vectors: a study asks for the same ones per row.
_coverages: dict[tuple[object, ...], float] = {}


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
        held, read = "texts", "images"
        fitting = f"such as minilm, or one of {', '.join(WORD_NETS)}"
    else:
        held, read, fitting = f"{dataset.image} images", "texts", ", ".join(NETS)
    raise StillhouseError(
        "invalid",
        f"the model {found.name} reads {read}, and the data set {dataset.name} holds {held}; name "
        f"one that reads these ({fitting})",
        field="model.name",
    )


def vectors_of(
    model: str, name: str | None, data_dir: str | None, path: str | None
) -> VectorsLocation | None:
    """Where the word vectors of a network of words are; None for another model.

    Args:
        model: the name of the model.
        name: of the vectors; None for the default.
        data_dir: folder of local sets and vectors.
        path: where they were before.

    Raises:
        StillhouseError: not_found; invalid for vectors beside a model that takes none.
    """
    if is_word_net(model):
        return locate_vectors(name or DEFAULT_EMBEDDINGS, data_dir, path)
    if name:
        raise StillhouseError(
            "invalid",
            f"--embeddings (model.embeddings) {name} is for {', '.join(WORD_NETS)}, and {model} "
            "takes no word vectors; name one of these with --model",
            field="model.embeddings",
        )
    return None


def model_facts(
    location: ModelLocation, dataset: Dataset, vectors: VectorsLocation | None
) -> dict[str, Any]:
    """What the control plane has to know of a model that `model_of` gave.

    Args:
        location: of the model.
        dataset: with the training texts in memory, for a network of words.
        vectors: where the word vectors of such a network are.

    Raises:
        StillhouseError: invalid where it cannot be trained on this set.
    """
    if dataset.image is not None:
        return _net_facts(location, dataset)
    if vectors is None:
        return _encoder_facts(location, dataset)
    return _word_net_facts(location, dataset, vectors)


def _word_net_facts(
    location: ModelLocation, dataset: Dataset, vectors: VectorsLocation
) -> dict[str, Any]:
    from ..learners.word_nets import num_parameters  # with PyTorch, which takes seconds

    table = open_vectors(vectors)
    fingerprint = vectors_fingerprint(table)
    count = num_parameters(location.name, table.width, len(dataset.class_names))
    return _of_net(location.name, count, table.width, has_dropout=True) | {
        "embeddings": {
            "name": vectors.name,
            "source": vectors.source,
            "path": str(vectors.path),
            "fingerprint": fingerprint,
            "words": len(table.words),
            "width": table.width,
            "train_coverage": _coverage(dataset, table, fingerprint),
        }
    }


def _coverage(dataset: Dataset, table: VectorTable, fingerprint: str) -> float:
    from ..models.word_tokenizer import coverage

    rows = (dataset.fingerprint, dataset.num_rows["train"], dataset.text_columns)
    subject = (*rows, fingerprint)
    if subject not in _coverages:
        _coverages[subject] = coverage(table.words, _texts(dataset.splits["train"])).share
    return _coverages[subject]


def _texts(split: Split) -> list[str]:
    columns = (split.first, split.second or [])
    return [text for column in columns for text in column if isinstance(text, str)]


def _net_facts(location: ModelLocation, dataset: Dataset) -> dict[str, Any]:
    from ..learners.nets import make_net, num_parameters  # with PyTorch, which takes seconds

    assert dataset.image is not None, "the set holds images"
    assert dataset.pixels is not None, "which have statistics"
    net = make_net(location.name, dataset.image, *dataset.pixels)
    # A distilled image counts as one vector.
    count = num_parameters(net, len(dataset.class_names))
    return _of_net(location.name, count, dataset.image.num_values, has_dropout=net.has_dropout)


def _of_net(name: str, parameter_count: int, width: int, *, has_dropout: bool) -> dict[str, Any]:
    """The facts about a network, which comes with Stillhouse."""
    return {
        "name": name,
        "source": "packaged",
        "fingerprint": net_fingerprint(name),
        "weights_fingerprint": "",
        "substitute_for": "",
        "parameter_count": parameter_count,
        "num_layers": 0,
        "num_heads": 0,
        "width": width,
        "max_positions": 2**20,
        "entry_width": width,
        "attention_span": 0,
        "staged": False,
        "dropout": has_dropout,
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
