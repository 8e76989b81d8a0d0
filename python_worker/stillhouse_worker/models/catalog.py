"""Finds a pretrained encoder by its name, and reads the facts about it.

Facts come from ``config.json`` and the header of the weight file: no weights are read into memory
and ``transformers``, which takes seconds to import, is not needed.
"""

import difflib
import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

from ..errors import FailureKind, StillhouseError
from ..hub_access import (
    cached_snapshot,
    hub_endpoint,
    hub_has,
    hub_is_reachable,
    hub_offline_reason,
)
from ..stopping import may_stop
from .files import WEIGHT_FILES, check_model_folder, find_weights, has_tokenizer
from .nets import NETS, WORD_NETS, is_net, is_word_net
from .packaged import PACKAGED_MODEL, packaged_model_folder
from .trained_pooling import MODULES_NAME

DEFAULT_MODEL = "distilbert-base-uncased"
# Short names that the hub still forwards, and where they lead: a cache may have either.
_HUB_REPOS = {
    "distilbert-base-uncased": "distilbert/distilbert-base-uncased",
    "distilbert-base-cased": "distilbert/distilbert-base-cased",
    "bert-base-uncased": "google-bert/bert-base-uncased",
    "bert-base-cased": "google-bert/bert-base-cased",
}
_TOKENIZER_PATTERNS = ("tokenizer*", "vocab.txt", "special_tokens_map.json", "added_tokens.json")

# Read at once of a file that is hashed.
_HASHED_BYTES = 1 << 20
_POOLING_PATTERNS = (MODULES_NAME, "*_Pooling/config.json")


class ModelLocation(NamedTuple):
    """Where an encoder was found.

    Attributes:
        name: of the encoder found; the absolute path of a local folder.
        source: "local", "hub" or "packaged".
        path_or_id: folder in the hub's format, or the repository when it must be downloaded.
        substitute_for: the default that this one replaces; empty when nothing was replaced.
        notice: one sentence about the replacement; empty when nothing was replaced.
        needs_download: whether the hub has it and the cache does not.
    """

    name: str
    source: str
    path_or_id: str
    substitute_for: str = ""
    notice: str = ""
    needs_download: bool = False


def locate_model(name: str | None) -> ModelLocation:
    """Look for an encoder: packaged, local folder, the hub's cache, the hub.

    Args:
        name: ``minilm``, a network of images or words, a path, or a name of the hub; None for the
            default, which alone may be replaced by the packaged one.

    Raises:
        StillhouseError: not_found, or invalid for a folder without a supported encoder.
    """
    wanted = DEFAULT_MODEL if name is None else name
    found = _look_up(wanted)
    if found is not None:
        return found
    if name is None and not hub_is_reachable():
        return _substitute()
    raise _not_found(wanted)


def net_location(name: str) -> ModelLocation:
    """A network, which comes with Stillhouse."""
    return ModelLocation(name, "packaged", name)


def _look_up(name: str) -> ModelLocation | None:
    if is_net(name) or is_word_net(name):
        return net_location(name)
    if name == PACKAGED_MODEL:
        return ModelLocation(name, "packaged", str(packaged_model_folder()))
    folder = Path(name).expanduser()
    if _means_folder(name, folder):
        check_model_folder(folder)
        return ModelLocation(str(folder.resolve()), "local", str(folder.resolve()))
    snapshot = _cached(name)
    if snapshot is not None:
        check_model_folder(snapshot)
        return ModelLocation(name, "hub", str(snapshot))
    if hub_is_reachable() and hub_has(_repo(name), "model"):
        return ModelLocation(name, "hub", _repo(name), needs_download=True)
    return None


def _means_folder(name: str, folder: Path) -> bool:
    """A path that says it is one, or any folder with a config.json (as in ``transformers``)."""
    looks_like_path = (
        name.startswith(("/", "./", "../", "~", ".\\", "..\\")) or folder.is_absolute()
    )
    has_parts = os.sep in name and folder.is_dir()
    return bool(name) and (looks_like_path or has_parts or (folder / "config.json").is_file())


def model_is_cached(name: str) -> bool:
    """Whether an encoder of the hub is in its cache, whole."""
    return _cached(name) is not None


def _repo(name: str) -> str:
    return _HUB_REPOS.get(name, name)


def _cached(name: str) -> Path | None:
    """Snapshot in the hub's cache with config, weights and tokenizer; half a download is none."""
    for repo in (_repo(name), name):
        snapshot = cached_snapshot(repo)
        if snapshot is not None and find_weights(snapshot) and has_tokenizer(snapshot):
            return snapshot
    return None


def _substitute() -> ModelLocation:
    return ModelLocation(
        PACKAGED_MODEL,
        "packaged",
        str(packaged_model_folder()),
        substitute_for=DEFAULT_MODEL,
        notice=f"The default model {DEFAULT_MODEL} is not on this machine and the hub cannot be "
        f"reached ({hub_offline_reason()}), so {PACKAGED_MODEL}, which comes with a package, "
        "is used instead.",
    )


def _not_found(name: str) -> StillhouseError:
    hub = f"the hub cannot be reached ({hub_offline_reason()})"
    if hub_is_reachable():
        hub = f"the hub {hub_endpoint()} has none of that name"
    near = difflib.get_close_matches(
        name, [PACKAGED_MODEL, *NETS, *WORD_NETS, *_HUB_REPOS], n=2, cutoff=0.6
    )
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return _failure(
        "not_found",
        f"model {name!r} was not found: it is not {PACKAGED_MODEL}, none of the networks "
        f"of images {', '.join(NETS)} or of words {', '.join(WORD_NETS)}, not a folder with a "
        f"config.json, the hub's cache does not have it and {hub}{hint}",
    )


def download_model(name: str) -> None:
    """Download config, tokenizer and one weight file into the hub's cache, progress on stderr.

    Raises:
        StillhouseError: environment when the hub is out of reach or the download fails.
    """
    from huggingface_hub import HfApi, snapshot_download

    if not hub_is_reachable():
        raise _failure(
            "environment",
            f"model {name!r} is not cached and the hub cannot be reached: {hub_offline_reason()}",
        )
    repo = _repo(name)
    try:
        present = HfApi().list_repo_files(repo)
        weights = [file for file in WEIGHT_FILES if file in present][:1]
        wanted = ["config.json", *weights, *_TOKENIZER_PATTERNS, *_POOLING_PATTERNS]
        snapshot_download(repo, allow_patterns=wanted)
    except Exception as error:  # whichever HTTP client the installed hub library brings
        reason = " ".join((str(error) or type(error).__name__).split())[:300]
        raise _failure("environment", f"download of model {name!r} failed: {reason}") from error


def model_folder(name: str) -> Path:
    """The folder of an encoder, which is downloaded where the hub alone has it.

    Raises:
        StillhouseError: as of `locate_model` and `download_model`.
    """
    if locate_model(name).needs_download:
        download_model(name)
    return Path(locate_model(name).path_or_id)


class ModelFingerprint(NamedTuple):
    """Which model the files of a folder are.

    Attributes:
        whole: SHA-256 (hex) over the weights, the config and the tokenizer: all that determines
            what is computed. Only the content of the files counts, so a folder and a snapshot of
            the hub with the same files are the same model.
        weights: SHA-256 (hex) of the weight file alone, as in earlier versions.
    """

    whole: str
    weights: str

    def is_of(self, fingerprint: str) -> bool:
        """Whether this is the model that ``fingerprint``, of either kind, was taken of."""
        return fingerprint in self


def model_fingerprint(folder: Path) -> ModelFingerprint:
    """The fingerprint of a checked folder; about 0.1 s for 100 MB."""
    weight_file = find_weights(folder)
    assert weight_file is not None, "a checked folder has weights"
    weights = _sha256(weight_file)
    files = {
        path for pattern in ("config.json", *_TOKENIZER_PATTERNS) for path in folder.glob(pattern)
    }
    small = sorted((path.name, _sha256(path)) for path in files if path.is_file())
    whole = hashlib.sha256(json.dumps([["weights", weights], *small]).encode()).hexdigest()
    return ModelFingerprint(whole, weights)


def _sha256(path: Path) -> str:
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASHED_BYTES):
            may_stop()
            sha256.update(chunk)
    return sha256.hexdigest()


def _failure(kind: FailureKind, message: str) -> StillhouseError:
    return StillhouseError(kind, message, field="model.name")
