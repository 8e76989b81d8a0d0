"""A client of a Stillhouse control plane."""

from .client import StillhouseClient
from .errors import StillhouseError

__all__ = ["StillhouseClient", "StillhouseError"]
