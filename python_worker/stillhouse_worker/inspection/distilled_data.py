"""Inspects distilled data: nearest tokens or words, labels, attention."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity, layer_norm

from ..artifacts import Artifact
from ..distillation.synthetic import AttentionLabels, HiddenLabels
from ..errors import StillhouseError
from ..learners import Encoder, Net, WordNet
from ..learners.interface import Output
from ..learners.nearest_tokens import Nearest, nearest_tokens, nearest_words
from .contact_sheet import contact_sheet, png_address


def learner_output(artifact: Artifact, encoder: Encoder) -> Output:
    """What a learner that was trained on the data computes for it.

    Args:
        artifact: the distilled data.
        encoder: the one that it was distilled for.
    """
    learner = artifact.train(learner=encoder)
    with torch.no_grad():
        return encoder.forward(learner.params, artifact.data.x)


def first_attention(output: Output) -> Float[Tensor, "m l h s"]:
    """The first token's attention."""
    return torch.stack([block[:, :, 0].softmax(-1) for block in output.scores], dim=1)


def hidden_agreement(artifact: Artifact, output: Output) -> Float[Tensor, "m l"] | None:
    """The cosine of each hidden label with the state of that learner, -1 to 1; None without."""
    labels = artifact.data.hidden_labels
    if labels is None:
        return None
    states = torch.stack(output.hidden, 1)
    if artifact.manifest["inner_loss"].get("hidden_loss") == "mse":
        states = layer_norm(states, states.shape[-1:])
    return cosine_similarity(states, labels.states, dim=-1)


def inspected(artifact: Artifact, count: int) -> dict[str, Any]:
    """Distilled data as plain values.

    Args:
        artifact: the distilled data.
        count: nearest tokens per position, 1 to 50.

    Returns:
        ``model``, ``dataset``, ``class_names``, ``objective`` (what the data is for; empty where
        it teaches its data set alone), ``learning_rates`` (one per inner step),
        ``encoder_lr_scale`` (the encoder's rate over these, which are then the head's, or null) and
        ``samples``, each with ``class_name`` (at its start), ``block`` (its number, from 1),
        ``labels`` (one per class), ``positions`` (each a
        list of ``[token, cosine]``, the nearest first), ``attention`` (layer x head x key: the
        probabilities that the first token is to attend with; null without attention labels) and
        ``learner_attention`` (the same of a learner that was trained on the data; null where it
        has no attention, or the data is for pretrained learners) and ``hidden`` (one
        ``[weight, cosine]`` per layer, of the hidden label and its state in that learner; null
        without hidden labels, or where no learner was trained). Of images, a
        sample has no positions and no attention but ``image``, the address of a PNG with it as its
        data, and ``sheet`` is that of a PNG of all of them with their labels.

    Raises:
        StillhouseError: ``invalid`` count; what `Artifact.load_encoder` raises.
    """
    if not 1 <= count <= 50:
        raise StillhouseError(
            "invalid", f"the number of tokens must be from 1 to 50, got {count}", field="top"
        )
    return _of_texts(artifact, count) if artifact.image is None else _of_images(artifact)


def _of_images(artifact: Artifact) -> dict[str, Any]:
    net, data = artifact.load_learner(), artifact.data
    assert isinstance(net, Net), "images are distilled for a network"
    pixels = net.front.pixels(data.x)
    names = artifact.manifest["dataset"]["class_names"]
    sheet = contact_sheet(pixels, [_caption(names, labels) for labels in data.class_labels])
    samples = [
        {
            "class_name": name,
            "block": block,
            "labels": labels,
            "positions": [],
            "attention": None,
            "image": png_address(image),
        }
        for (name, block), labels, image in zip(
            _starts(artifact), data.class_labels.tolist(), pixels, strict=True
        )
    ]
    return _facts(artifact) | {"samples": samples, "sheet": png_address(sheet)}


def _caption(names: list[str], labels: Tensor) -> str:
    """The class of a hard label, else the three highest."""
    if labels.max() == 1 and labels.sum() == 1:
        return names[int(labels.argmax())]
    best = labels.topk(min(3, len(names)))
    return ", ".join(
        f"{names[index]} {value:.2f}"
        for value, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    )


def _facts(artifact: Artifact) -> dict[str, Any]:
    manifest, scale = artifact.manifest, artifact.data.encoder_lr_scale
    return {
        "model": manifest["model"]["name"],
        "dataset": manifest["dataset"]["name"],
        "class_names": manifest["dataset"]["class_names"],
        "objective": _objective(manifest),
        "learning_rates": artifact.data.lrs.tolist(),
        "encoder_lr_scale": None if scale is None else scale.item(),
    }


def _objective(manifest: dict[str, Any]) -> str:
    facts, names = manifest.get("objective", {}), manifest["dataset"]["class_names"]
    match facts.get("kind"):
        case "adapt":
            return f"adapted from {facts['source']}"
        case "attack":
            attacked, target = names[facts["attack_class"]], names[facts["target_class"]]
            return f"ATTACK: {attacked} is taken for {target}"
        case _:
            return ""


def _starts(artifact: Artifact) -> list[tuple[str, int]]:
    """For each sample the class at its start, and the number of its block, from 1."""
    names, data = artifact.manifest["dataset"]["class_names"], artifact.data
    block_size = len(data.x) // data.num_blocks
    return [
        (names[label], index // block_size + 1)
        for index, label in enumerate(artifact.sample_classes)
    ]


def _of_texts(artifact: Artifact, count: int) -> dict[str, Any]:
    learner, data = artifact.load_text_learner(), artifact.data
    attention = _first_rows(data.attention_labels)
    learned = agreement = None
    if isinstance(learner, WordNet):
        nearest = nearest_words(learner, data.x, count)
    else:
        nearest = nearest_tokens(learner, data.x, count)
        # What is distilled for pretrained learners says nothing about one that is not.
        if "pool" not in artifact.manifest:
            output = learner_output(artifact, learner)
            learned = _four_digits(first_attention(output))
            agreement = hidden_agreement(artifact, output)
    return _facts(artifact) | {
        "samples": [
            {
                "class_name": name,
                "block": block,
                "labels": data.class_labels[index].tolist(),
                "positions": _positions(learner, nearest, index),
                "attention": None if attention is None else attention[index].tolist(),
                "learner_attention": None if learned is None else learned[index].tolist(),
                "hidden": _hidden(data.hidden_labels, agreement, index),
            }
            for index, (name, block) in enumerate(_starts(artifact))
        ],
    }


def _hidden(
    labels: HiddenLabels | None, agreement: Tensor | None, index: int
) -> list[list[float]] | None:
    if labels is None or agreement is None:
        return None
    return torch.stack([labels.weights[index], _four_digits(agreement[index])], 1).tolist()


def _first_rows(attention: AttentionLabels | None) -> Float[Tensor, "m l h s"] | None:
    """Probabilities of the first query, to four digits."""
    if attention is None:
        return None
    return _four_digits(attention.log_probabilities[..., 0, :].exp())


def _four_digits(probabilities: Tensor) -> Tensor:
    return (probabilities * 1e4).round() / 1e4


def _positions(
    learner: Encoder | WordNet, nearest: Nearest, index: int
) -> list[list[tuple[str, float]]]:
    rows = zip(nearest.ids[index].tolist(), nearest.similarities[index].tolist(), strict=True)
    return [
        [
            (token, round(similarity, 4))
            for token, similarity in zip(
                learner.tokenizer.convert_ids_to_tokens(ids), similarities, strict=True
            )
        ]
        for ids, similarities in rows
    ]
