"""The failures of a data set that is invalid or does not exist."""

from ..errors import StillhouseError

_FIELD = "dataset.name"


def invalid(message: str) -> StillhouseError:
    """The failure of a set that cannot be used as it is."""
    return StillhouseError("invalid", message, field=_FIELD)


def not_found(message: str) -> StillhouseError:
    """The failure of a set that does not exist."""
    return StillhouseError("not_found", message, field=_FIELD)
