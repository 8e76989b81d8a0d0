"""The pooling that an encoder was trained with, as sentence-transformers stores it."""

import json
from pathlib import Path
from typing import Any, Literal

# Lists the modules of a sentence encoder; that of the pooling has its settings in a folder.
MODULES_NAME = "modules.json"
_CONFIG_NAME = "config.json"


def trained_pooling(folder: Path) -> Literal["first", "mean", ""]:
    """The pooling that the encoder in ``folder`` was trained with.

    Returns:
        "first" or "mean" as the folder's own files say; empty where they say nothing, as those of
        an encoder that was trained on masked words, or name another kind.
    """
    modules = _read(folder / MODULES_NAME)
    entries = (
        [entry for entry in modules if isinstance(entry, dict)] if isinstance(modules, list) else []
    )
    place = next((e.get("path") for e in entries if str(e.get("type")).endswith("Pooling")), None)
    config = _read(folder / place / _CONFIG_NAME) if isinstance(place, str) else None
    if not isinstance(config, dict):
        return ""
    if config.get("pooling_mode") == "mean" or config.get("pooling_mode_mean_tokens") is True:
        return "mean"
    is_first = config.get("pooling_mode") == "cls" or config.get("pooling_mode_cls_token") is True
    return "first" if is_first else ""


def _read(path: Path) -> Any:
    """The JSON of a file; None where it cannot be read, since it is only a hint."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
