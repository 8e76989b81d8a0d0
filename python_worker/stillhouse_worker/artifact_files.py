"""The files of distilled data."""

import hashlib
import json
from pathlib import Path
from typing import Any

from torch import Tensor

from .distillation.synthetic import AttentionLabels, DistilledData, HiddenLabels
from .learners.pool import POOL_MANIFEST_NAME, POOL_NAME
from .tensorfile import to_dtype, write_bytes, write_tensors

TENSORS_NAME = "distilled.safetensors"
MANIFEST_NAME = "manifest.json"
FORMAT = "stillhouse.distilled.v1"
# With several blocks or a rate of the encoder's own, which a program that knows the first format
# alone would overlook.
FORMAT_OF_BLOCKS_AND_RATES = "stillhouse.distilled.v2"
# With an inner loss that a program that knows the first two alone would take for another one.
FORMAT_OF_LOSSES = "stillhouse.distilled.v3"
FORMATS = (FORMAT, FORMAT_OF_BLOCKS_AND_RATES, FORMAT_OF_LOSSES)
SCALE_NAME = "encoder_lr_scale"
ATTENTION_NAME = "attention_log_probabilities"
# M x L x E, and a weight for each of the L layers.
STATES_NAME, STATE_WEIGHTS_NAME = "hidden_labels", "hidden_weights"
# Of distilled data, and of learners of a pool; the last one says that all are there.
DISTILLED_FILES = (TENSORS_NAME, MANIFEST_NAME)
POOL_FILES = (POOL_NAME, POOL_MANIFEST_NAME)


def write_artifact(
    folder: Path, data: DistilledData, manifest: dict[str, Any], attention_dtype: str
) -> None:
    """Write the tensors and the manifest of distilled data.

    Args:
        folder: made if needed.
        data: what is distilled.
        manifest: ``model``, ``dataset``, ``inner_loss``, ``seed``, ``sample_classes`` (of a block),
            ``spec``, ``versions``, …; ``blocks`` and ``passes`` follow from the data.
        attention_dtype: ``fp32`` or ``fp16``, for the attention labels alone.
    """
    tensors = {"x": data.x, "labels": data.class_labels, "lrs": data.lrs}
    if data.attention_labels is not None:
        packed = data.attention_labels.packed()
        tensors[ATTENTION_NAME] = to_dtype(packed, attention_dtype)
    if data.encoder_lr_scale is not None:
        tensors[SCALE_NAME] = data.encoder_lr_scale
    if data.hidden_labels is not None:
        tensors[STATES_NAME] = data.hidden_labels.states
        tensors[STATE_WEIGHTS_NAME] = data.hidden_labels.weights[0].contiguous()
    format_ = _format_of(data, manifest)
    write_tensors(folder / TENSORS_NAME, tensors, {"format": format_})
    digest = hashlib.sha256((folder / TENSORS_NAME).read_bytes()).hexdigest()
    steps = {"blocks": data.num_blocks, "passes": len(data.lrs) // data.num_blocks}
    manifest = {"format": format_, **manifest, **steps, "sha256": {TENSORS_NAME: digest}}
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    write_bytes(folder / MANIFEST_NAME, (text + "\n").encode())


def _format_of(data: DistilledData, manifest: dict[str, Any]) -> str:
    """The first one that says all of it."""
    if data.hidden_labels is not None or "attention_loss" in manifest["inner_loss"]:
        return FORMAT_OF_LOSSES
    is_first = data.num_blocks == 1 and data.encoder_lr_scale is None
    return FORMAT if is_first else FORMAT_OF_BLOCKS_AND_RATES


def stored_bytes(path: str | Path) -> int:
    """Bytes of the tensors of distilled data in its folder."""
    return (Path(path) / TENSORS_NAME).stat().st_size


def distilled_data(tensors: dict[str, Tensor], manifest: dict[str, Any]) -> DistilledData:
    """The data that `write_artifact` wrote.

    Raises:
        ValueError: the tensors do not fit each other.
        KeyError: one is missing.
    """
    x, lrs = tensors["x"], tensors["lrs"]
    return DistilledData(
        x,
        tensors["labels"],
        attention_labels(tensors.get(ATTENTION_NAME)),
        lrs,
        num_blocks(manifest, len(x), len(lrs)),
        tensors.get(SCALE_NAME),
        hidden_labels(tensors.get(STATES_NAME), tensors.get(STATE_WEIGHTS_NAME)),
    )


def num_blocks(manifest: dict[str, Any], num_samples: int, num_steps: int) -> int:
    """Data from before there were blocks is one."""
    blocks = manifest.get("blocks", 1)
    if not isinstance(blocks, int) or blocks < 1 or num_samples % blocks or num_steps % blocks:
        raise ValueError(
            f"its {num_samples} samples and {num_steps} steps cannot be those of {blocks} blocks"
        )
    return blocks


def attention_labels(packed: Tensor | None) -> AttentionLabels | None:
    """As `AttentionLabels.packed` gave them; the file says their kind by the number of its axes."""
    if packed is None:
        return None
    if packed.dim() not in (4, 5):
        raise ValueError(f"{ATTENTION_NAME} must have 4 or 5 axes, got {packed.dim()}")
    return AttentionLabels.unpacked("cls" if packed.dim() == 4 else "all", packed.float())


def hidden_labels(states: Tensor | None, weights: Tensor | None) -> HiddenLabels | None:
    """The two tensors of the file, which has both or none."""
    if states is None or weights is None:
        if states is not weights:
            raise ValueError(f"it has one of {STATES_NAME} and {STATE_WEIGHTS_NAME} alone")
        return None
    if states.dim() != 3 or weights.shape != states.shape[1:2]:
        shapes = f"{tuple(states.shape)} and {tuple(weights.shape)}"
        raise ValueError(f"{STATES_NAME} and {STATE_WEIGHTS_NAME} cannot be {shapes}")
    return HiddenLabels.weighted(states, weights)
