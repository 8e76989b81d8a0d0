"""Finds a data set by its name, and a substitute for the default one where there is no hub."""

import difflib
import socket
from pathlib import Path
from typing import NamedTuple

from ..errors import StillhouseError
from ..hub_access import hub_endpoint, hub_has, hub_is_reachable, hub_offline_reason
from .faults import not_found
from .files import SUFFIXES
from .hub import KNOWN_HUB_SETS, hub_entry, is_cached
from .image_files import ZIP_ENDING
from .local import has_local, is_set_folder, local_names
from .packaged import DEFAULT_PACKAGED, PACKAGED_NAMES, must_fetch

DEFAULT_DATASET = "ag_news"


class DatasetLocation(NamedTuple):
    """Where a data set was found.

    Attributes:
        name: of the set found.
        source: "local", "hub" or "packaged".
        data_dir: absolute folder of local sets; None for other sources.
        substitute_for: the default that this one replaces; empty when nothing was replaced.
        notice: one sentence about the replacement; empty when nothing was replaced.
        needs_download: whether it has to be downloaded, from the hub or from a registry of
            packages.
    """

    name: str
    source: str
    data_dir: str | None
    substitute_for: str = ""
    notice: str = ""
    needs_download: bool = False


def find_dataset(
    name: str | None, data_dir: str | None, source: str | None = None
) -> DatasetLocation:
    """Look for a set in the data folder, among the packaged ones, in the hub's cache, on the hub.

    Args:
        name: None for the default, which alone may be replaced by a packaged set.
        data_dir: folder of local sets, if there is one.
        source: "local" where nothing but the data folder is to be looked at.

    Raises:
        StillhouseError: not_found, with where it was looked for and names that are near.
    """
    if source == "local" and name is not None and data_dir is not None:
        return _local(name, data_dir)
    if data_dir is not None and not Path(data_dir).is_dir():
        raise StillhouseError(
            "not_found",
            f"the data folder {data_dir!r} is not a folder; name one that exists or none",
            field="dataset.data_dir",
        )
    wanted = DEFAULT_DATASET if name is None else name
    is_set = data_dir is not None and is_set_folder(Path(data_dir))
    if name is None and data_dir is not None and is_set and not has_local(wanted, data_dir):
        # A person who names a set as the folder of sets does not mean the default set.
        raise _missing(f"none is named, and {_is_set_itself(data_dir)}", data_dir)
    found = _look_up(wanted, data_dir)
    if found is not None:
        return found
    if name is None and not hub_is_reachable():
        return _substitute()
    raise _not_found(wanted, data_dir)


def _local(name: str, data_dir: str) -> DatasetLocation:
    if has_local(name, data_dir):
        return DatasetLocation(name, "local", str(Path(data_dir).resolve()))
    path = Path(data_dir) / name
    if not path.exists():
        raise _missing(f"there is no file or folder {path} on {socket.gethostname()}", data_dir)
    if path.is_dir():
        raise _missing(
            f"the folder {path} is not a data set: it holds neither dataset.json nor a train file "
            "nor images in a folder per class",
            str(path),
        )
    raise _missing(
        f"the file {path} is not a data set: its name must end in "
        f"{', '.join((*SUFFIXES, ZIP_ENDING))}",
        data_dir,
    )


def _missing(reason: str, data_dir: str) -> StillhouseError:
    names = local_names(data_dir)
    hint = f"; the folder {data_dir} holds {', '.join(names)}" if names else ""
    return not_found(f"the data set was not found: {reason}{hint}")


def _look_up(name: str, data_dir: str | None) -> DatasetLocation | None:
    if data_dir is not None and has_local(name, data_dir):
        return DatasetLocation(name, "local", str(Path(data_dir).resolve()))
    if name in PACKAGED_NAMES:
        return DatasetLocation(name, "packaged", None, needs_download=must_fetch(name))
    if is_cached(name):
        return DatasetLocation(name, "hub", None)
    if hub_is_reachable() and hub_has(hub_entry(name).repo, "dataset"):
        return DatasetLocation(name, "hub", None, needs_download=True)
    return None


def _substitute() -> DatasetLocation:
    return DatasetLocation(
        DEFAULT_PACKAGED,
        "packaged",
        None,
        substitute_for=DEFAULT_DATASET,
        notice=f"The default data set {DEFAULT_DATASET} is not on this machine and the hub cannot "
        f"be reached ({hub_offline_reason()}), so {DEFAULT_PACKAGED}, which comes with a package, "
        "is used instead.",
    )


def _not_found(name: str, data_dir: str | None) -> StillhouseError:
    hub = f"the hub cannot be reached ({hub_offline_reason()})"
    if hub_is_reachable():
        hub = f"the hub {hub_endpoint()} has none of that name"
    known = [*local_names(data_dir), *PACKAGED_NAMES, *KNOWN_HUB_SETS]
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
    hint = f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
    return not_found(
        f"data set {name!r} was not found: {_folder_holds(name, data_dir)}, the packaged sets are "
        f"{', '.join(PACKAGED_NAMES)}, the hub's cache does not have it and {hub}{hint}"
    )


def _is_set_itself(data_dir: str) -> str:
    return f"the data folder {data_dir} is a data set itself, which --dataset {data_dir} takes"


def _folder_holds(name: str, data_dir: str | None) -> str:
    if data_dir is None:
        return "no data folder is given"
    if is_set_folder(Path(data_dir)):
        return _is_set_itself(data_dir)
    if name and (Path(data_dir) / name).is_dir():
        return (
            f"in the data folder {data_dir} the folder {name!r} has no dataset.json, no "
            "train file and no images in a folder per class"
        )
    return f"the data folder {data_dir} holds {', '.join(local_names(data_dir)) or 'no sets'}"
