"""The checks of ``doctor``: the state of each part of the machine, and the remedy."""

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from ..datasets.catalog import DEFAULT_DATASET
from ..datasets.hub import is_cached
from ..datasets.loading import Reading, load_dataset
from ..datasets.local import local_names
from ..datasets.packaged import BBC_PACKAGE, DEFAULT_PACKAGED
from ..errors import StillhouseError
from ..hub_access import hub_endpoint, hub_offline_reason
from ..models.catalog import DEFAULT_MODEL, model_is_cached
from ..models.files import read_model_facts
from ..models.packaged import MODEL_PACKAGE, PACKAGED_MODEL, packaged_model_folder
from ..models.word_vectors import DEFAULT_EMBEDDINGS, locate_vectors

Status = Literal["ok", "warning", "error"]

_SET_UP = "npm run setup"
_OLDEST_PYTHON = (3, 11)
# The weights of BERT, their gradients and the activations of a batch fit in this.
_ENOUGH_MEMORY_BYTES = 4 * 2**30
_ENOUGH_DISK_BYTES = 5 * 2**30
_REQUIREMENTS_LOCK = Path(__file__).parents[2] / "requirements.lock"


class Check(NamedTuple):
    """One line of the report.

    Attributes:
        name: of the part.
        status: "ok", "warning" (something will not be available) or "error" (nothing will run).
        detail: what was found.
        remedy: what to do about it; empty when all is well.
    """

    name: str
    status: Status
    detail: str
    remedy: str = ""


def system_checks(data_dir: str | None, home: str | None) -> list[Check]:
    """Check everything that an experiment needs; a check that fails is a line like the others.

    Args:
        data_dir: folder of local data sets, if one is used.
        home: folder of the results, for its disk; None takes the current folder.
    """
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("Python", _python),
        ("PyTorch", _torch),
        ("Devices", _devices),
        ("Libraries", _libraries),
        ("Packaged model", _packaged_model),
        ("Packaged data set", _packaged_dataset),
        ("Word vectors", lambda: _word_vectors(data_dir)),
        ("Hugging Face hub", _hub),
        ("Default model", lambda: _default_cached(DEFAULT_MODEL, PACKAGED_MODEL, model_is_cached)),
        ("Default data set", lambda: _default_dataset(data_dir)),
        ("Data folder", lambda: _data_folder(data_dir)),
        ("Memory", _memory),
        ("Disk", lambda: _disk(home)),
    ]
    return [_guarded(name, check) for name, check in checks]


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()._replace(name=name)
    except StillhouseError as error:
        return Check(name, "error", error.message, _SET_UP)
    except Exception as error:  # a report on a broken machine must not fail itself
        return Check(name, "error", f"{type(error).__name__}: {error}", _SET_UP)


def _python() -> Check:
    detail = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < _OLDEST_PYTHON:
        return Check("", "error", detail, "install Python 3.11 or newer, then npm run setup")
    return Check("", "ok", detail)


def _torch() -> Check:
    import torch

    cuda = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only"
    return Check("", "ok", f"{torch.__version__} ({cuda}), {torch.get_num_threads()} threads")


def _devices() -> Check:
    from ..devices.facts import all_devices

    shown = (
        f"{device.device}: {device.name}{', bf16' if device.bf16 else ''}"
        for device in all_devices()
    )
    return Check("", "ok", "; ".join(shown))


def _libraries() -> Check:
    if not _REQUIREMENTS_LOCK.is_file():
        return Check("", "error", f"{_REQUIREMENTS_LOCK} is missing", "git checkout its file")
    pinned = dict(_pins(_REQUIREMENTS_LOCK.read_text("utf-8")))
    wrong = [
        f"{package} {found or 'missing'} (locked {version})"
        for package, version in pinned.items()
        if (found := _installed_version(package)) != version
    ]
    if wrong:
        return Check("", "warning", f"not as locked: {', '.join(wrong)}", _SET_UP)
    return Check("", "ok", f"{len(pinned)} as locked")


def _pins(lock: str) -> Iterator[tuple[str, str]]:
    for line in lock.splitlines():
        pin = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", line)
        if pin:
            yield pin[1], pin[2].partition("+")[0]


def _installed_version(package: str) -> str:
    """Version without the build, such as +cpu, that a package index may add; empty if missing."""
    try:
        return metadata.version(package).partition("+")[0]
    except metadata.PackageNotFoundError:
        return ""


def _packaged_model() -> Check:
    facts = read_model_facts(packaged_model_folder())
    millions = facts.parameter_count / 1e6
    return Check("", "ok", f"{PACKAGED_MODEL} from {MODEL_PACKAGE}, {millions:.1f} M parameters")


def _packaged_dataset() -> Check:
    # How the rows are split and which are refused does not matter to their count.
    reading = Reading(0.1, 0.2, "refuse")
    dataset = load_dataset(
        DEFAULT_PACKAGED, source="packaged", data_dir=None, splits=(), reading=reading
    )
    return Check(
        "",
        "ok",
        f"{DEFAULT_PACKAGED} from {BBC_PACKAGE}, {sum(dataset.num_rows.values()):,} rows, "
        f"{len(dataset.class_names)} classes",
    )


def _word_vectors(data_dir: str | None) -> Check:
    found = locate_vectors(DEFAULT_EMBEDDINGS, data_dir)
    if found.needs_download:
        when = "the first experiment that takes word vectors fetches them with npm (118 MB)"
        return Check("", "ok", f"{found.name} is not here; {when}")
    return Check("", "ok", f"{found.name} at {found.path}")


def _hub() -> Check:
    reason = hub_offline_reason()
    if reason:
        return Check(
            "",
            "warning",
            f"cannot be reached: {reason}",
            "go online or set HF_ENDPOINT to a mirror; without it, what is cached, packaged or "
            "in the data folder works",
        )
    return Check("", "ok", f"{hub_endpoint()} answers")


def _default_cached(name: str, substitute: str, cached: Callable[[str], bool]) -> Check:
    if cached(name):
        return Check("", "ok", f"{name} is in the hub's cache")
    if not hub_offline_reason():
        return Check("", "ok", f"{name} is not cached; the first experiment downloads it")
    return Check(
        "",
        "warning",
        f"{name} is not cached and the hub cannot be reached; {substitute} is used instead",
        f"copy the hub's cache of a machine that has {name}, or name another one",
    )


def _default_dataset(data_dir: str | None) -> Check:
    if DEFAULT_DATASET in local_names(data_dir):
        return Check("", "ok", f"{DEFAULT_DATASET} is in the data folder")
    return _default_cached(DEFAULT_DATASET, DEFAULT_PACKAGED, is_cached)


def _data_folder(data_dir: str | None) -> Check:
    if data_dir is None:
        return Check("", "ok", "none given (--data-dir or STILLHOUSE_DATA_DIR)")
    if not Path(data_dir).is_dir():
        return Check("", "error", f"{data_dir!r} is not a folder", "name a folder that exists")
    names = local_names(data_dir)
    if not names:
        return Check(
            "",
            "warning",
            f"{data_dir} holds no data sets",
            "put each set into a folder of its own with a dataset.json",
        )
    return Check("", "ok", f"{data_dir}: {', '.join(names)}")


def _memory() -> Check:
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = (os.sysconf(key) * page for key in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    detail = f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
    if total < _ENOUGH_MEMORY_BYTES:
        return Check("", "warning", detail, "use the model minilm and a smaller --batch-size")
    return Check("", "ok", detail)


def _disk(home: str | None) -> Check:
    folder = Path(home) if home is not None else Path.cwd()
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    detail = f"{usage.free / 2**30:.1f} GiB free at {folder}"
    if usage.free < _ENOUGH_DISK_BYTES:
        return Check("", "warning", detail, "free some space, or set STILLHOUSE_HOME elsewhere")
    return Check("", "ok", detail)
