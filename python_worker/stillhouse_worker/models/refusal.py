"""The error of a model that cannot be used."""

from pathlib import Path
from typing import NoReturn

from ..errors import StillhouseError


def refuse(folder: Path, why: str) -> NoReturn:
    """Raise ``invalid``, field ``model.name``.

    Args:
        folder: of the model.
        why: a clause that names what is wrong and where.
    """
    raise StillhouseError(
        "invalid", f"the model {folder} cannot be used: {why}", field="model.name"
    )
