"""Stillhouse's worker, and the Python side of its artifacts."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .artifacts import Artifact, TrainedLearner, load_artifact

__version__ = "0.1.0"

__all__ = ["Artifact", "TrainedLearner", "load_artifact"]


def __getattr__(name: str) -> Any:
    # Importing torch takes seconds, and the inspection that starts every command does not need it.
    if name in __all__:
        from . import artifacts

        return getattr(artifacts, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
