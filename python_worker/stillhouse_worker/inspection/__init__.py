"""Short questions of the control plane, which imports this package by its name."""

from .questions import artifact, describe, fetch, suggest, system

__all__ = ["artifact", "describe", "fetch", "suggest", "system"]
