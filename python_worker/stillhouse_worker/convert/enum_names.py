"""The words of enums in the core's types."""

from typing import Any


def name_of(message: Any, field: str) -> Any:
    """Value of an enum field as the core calls it: LABELS_HARD of ``labels`` is "hard"."""
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return enum.values_by_number[getattr(message, field)].name.removeprefix(prefix).lower()
