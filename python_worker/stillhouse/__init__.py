"""What programs use of Stillhouse: distilled data on disk, and a client of a control plane.

Both raise `StillhouseError`. `load_artifact` needs the packages of the extra ``worker``; the client
does without them.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stillhouse_worker.artifacts import Artifact, TrainedLearner, load_artifact
    from stillhouse_worker.errors import StillhouseError
    from stillhouse_worker.learners.pool import open_pool

    from .client import StillhouseClient

__all__ = [
    "Artifact",
    "StillhouseClient",
    "StillhouseError",
    "TrainedLearner",
    "load_artifact",
    "open_pool",
]

_HOMES = {
    "Artifact": "stillhouse_worker.artifacts",
    "StillhouseClient": "stillhouse.client",
    "StillhouseError": "stillhouse_worker.errors",
    "TrainedLearner": "stillhouse_worker.artifacts",
    "load_artifact": "stillhouse_worker.artifacts",
    "open_pool": "stillhouse_worker.learners.pool",
}


def __getattr__(name: str) -> Any:
    # Importing torch takes seconds, and a client has no use for it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = importlib.import_module(_HOMES[name])
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0].startswith("stillhouse"):
            raise
        raise ModuleNotFoundError(
            f"stillhouse.{name} needs {error.name}, which the extra installs: "
            "pip install 'stillhouse[worker]'",
            name=error.name,
        ) from error
    return getattr(home, name)
