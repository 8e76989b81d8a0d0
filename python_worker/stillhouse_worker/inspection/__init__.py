"""What the control plane asks Python in short; it imports this package by its name."""

from .questions import artifact, describe, fetch, suggest, system

__all__ = ["artifact", "describe", "fetch", "suggest", "system"]
