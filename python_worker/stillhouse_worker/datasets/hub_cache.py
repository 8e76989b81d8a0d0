"""Sets that the ``datasets`` library has prepared in its cache, found and opened without the hub.

The library keeps a set as OWNER___NAME/CONFIGURATION/VERSION/HASH/NAME-SPLIT.arrow. The library
itself would ask the hub before it looks into its cache, and takes a second to import.
"""

import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StillhouseError
from ..hub_access import datasets_cache
from .split_files import SPLIT_BY_NAME

if TYPE_CHECKING:
    import datasets

_REPO = re.compile(r"(?:(?P<owner>[\w.-]+)/)?(?P<name>[\w.-]+)")


def cached_folder(repo: str, config: str | None) -> Path | None:
    """The newest finished download of a set, if there is one.

    Args:
        repo: "owner/name".
        config: configuration; None where the set has only one.

    Raises:
        StillhouseError: invalid, when no configuration is named and several are cached.
    """
    match = _REPO.fullmatch(repo)
    if match is None:
        return None
    owner, name = match["owner"], _snake_case(match["name"])
    root = datasets_cache() / (name if owner is None else f"{owner}___{name}")
    pattern = "*" if config is None else glob.escape(config)
    # A download that did not finish is in HASH.incomplete.
    found = [
        path.parent
        for path in root.glob(f"{pattern}/*/*/dataset_info.json")
        if path.parent.suffix != ".incomplete" and any(path.parent.glob("*-train*.arrow"))
    ]
    configs = sorted({folder.relative_to(root).parts[0] for folder in found})
    if len(configs) > 1:
        raise StillhouseError(
            "invalid",
            f"data set {repo!r} has several configurations ({', '.join(configs)}); "
            f"name one of them, as in {repo}:{configs[0]}",
            field="dataset.name",
        )
    return max(found, key=lambda folder: folder.stat().st_mtime, default=None)


def open_tables(folder: Path) -> "dict[str, datasets.Dataset]":
    """Memory-map the Arrow files of a cached set; a split may have several."""
    import datasets

    tables: dict[str, datasets.Dataset] = {}
    for split_name in SPLIT_BY_NAME:
        # NAME-train.arrow, or NAME-train-00000-of-00002.arrow and so on.
        files = sorted(folder.glob(f"*-{split_name}.arrow"))
        files = files or sorted(folder.glob(f"*-{split_name}-*-of-*.arrow"))
        if files:
            parts = [datasets.Dataset.from_file(str(file)) for file in files]
            tables[split_name] = datasets.concatenate_datasets(parts)
    return tables


def _snake_case(name: str) -> str:
    """The library's rule for the folder of a repository's name."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower()
