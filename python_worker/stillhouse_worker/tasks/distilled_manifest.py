"""What the manifest of an artifact says of how its data was distilled."""

from typing import Any

from ..context.bench import Bench
from ..context.settings import DistilledSettings
from ..datasets import Dataset
from ..datasets.parts import part_facts


def distilled_manifest(bench: Bench) -> dict[str, Any]:
    """Settings, model and data; everything that is known before the first outer step."""
    settings, dataset = bench.task.settings, bench.dataset
    return {
        "spec": bench.task.spec,
        "seed": settings.seed,
        "model": settings.model.document(),
        "dataset": {
            "name": dataset.name,
            "source": dataset.source,
            "fingerprint": dataset.fingerprint,
            "class_names": list(dataset.class_names),
            "text_columns": list(dataset.text_columns),
            "max_length": settings.data.max_length,
            **_image_facts(dataset),
            **part_facts(settings.data.part),
        },
        "inner_loss": {
            "attention_lambda": settings.distilled.attention_lambda,
            "attention_reduction": settings.distilled.attention_reduction,
            **_loss_facts(settings.distilled),
        },
        **({} if settings.pool is None else {"pool": settings.pool._asdict()}),
        **settings.objective.facts(),
        "sample_classes": settings.distilled.classes(bench.num_classes, settings.seed),
        "protocol": "validation" if settings.select else "paper",
    }


def _image_facts(dataset: Dataset) -> dict[str, Any]:
    """What opens a network of images again; nothing for texts."""
    if dataset.image is None or dataset.pixels is None:
        return {}
    return {"image": {"shape": list(dataset.image), **dataset.pixels._asdict()}}


def _loss_facts(distilled: DistilledSettings) -> dict[str, Any]:
    """What differs from inner losses before it could be chosen, so that others keep their bytes."""
    facts: dict[str, Any] = {"dropout": distilled.dropout} if distilled.dropout else {}
    if distilled.attention_loss != "kl":
        facts["attention_loss"] = distilled.attention_loss
    if distilled.internal_labels != "learned":
        facts["internal_labels"] = distilled.internal_labels
    if distilled.hidden_labels != "none":
        facts["hidden_loss"] = distilled.hidden_loss
        facts["hidden_schedule"] = distilled.hidden_schedule
    return facts
