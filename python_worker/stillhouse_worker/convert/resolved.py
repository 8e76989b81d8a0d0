"""Whether a spec is resolved."""

from typing import Any

from ..errors import StillhouseError

# Fields that the control plane alone reads, or for which empty is a value: a spec that was stored
# before they existed lacks them. All others the control plane fills in.
_MAY_BE_UNSET = (
    "robustness",
    "replay",
    "pool",
    "objective",
    "baseline.herding",
    "baseline.kcenter",
    "baseline.linear_probe",
    "baseline.class_means",
    "baseline.adam",
    "baseline.setfit",
    "baseline.full_inits",
    "baseline.k_means",
    "baseline.knn",
    "compute.memory_mib",
    "model.pooling",
    "model.embeddings",
    "model.embeddings_found",
    "dataset.text_column",
    "dataset.label_column",
    "dataset.found",
)


def require_all(message: Any, path: str = "") -> None:
    """Raise ``invalid`` for the first field of a resolved spec that has no value."""
    for field in message.DESCRIPTOR.fields:
        name = f"{path}{field.name}"
        if name in _MAY_BE_UNSET:
            continue
        if field.enum_type is not None:
            missing = getattr(message, field.name) == 0
        else:
            missing = not message.HasField(field.name)
        if missing:
            raise StillhouseError(
                "invalid", f"{name} has no value: the spec is not resolved", field=name
            )
        if field.message_type is not None:
            require_all(getattr(message, field.name), f"{name}.")
