"""Artifacts: what is written is what is read, damage is noticed, the README's lines work."""

import importlib
import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tasks_of import task_of
from torch import Tensor

from stillhouse_worker import load_artifact
from stillhouse_worker.artifacts import MANIFEST_NAME, TENSORS_NAME, Artifact
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.tasks.distill import distill
from stillhouse_worker.tensorfile import read_tensors


@pytest.fixture
def artifact_folder(distilled, tmp_path: Path) -> Path:
    return shutil.copytree(distilled.folder, tmp_path / "artifact")


def test_artifact_trains_a_learner_that_predicts_class_names(artifact_folder: Path) -> None:
    learner = load_artifact(artifact_folder).train(init_seed=1)
    names = learner.predict(["goal match team", "bank shares profit"])
    assert set(names) <= {"sport", "money"}
    measures = learner.evaluate(["goal match team", "bank shares profit"], [0, 1])
    expected = sum(a == b for a, b in zip(names, ["sport", "money"], strict=True)) / 2
    assert measures.accuracy == expected


def test_the_lines_of_the_readme_run_as_printed(artifact_folder: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert ".stillhouse/artifacts/ID" in lines
    scope: dict[str, object] = {}
    exec(lines.replace(".stillhouse/artifacts/ID", str(artifact_folder)), scope)
    assert scope["learner"].predict(["goal match"])[0] in {"sport", "money"}


def test_trained_learner_becomes_a_transformers_classifier(artifact_folder: Path) -> None:
    learner = load_artifact(artifact_folder).train(init_seed=1)
    texts = ["goal match team", "bank shares"]
    inputs = learner.encoder.tokenizer(texts, padding=True, return_tensors="pt")
    torch.testing.assert_close(
        learner.to_transformers()(**inputs).logits, learner.logits(texts), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("way", ["learner", "transformers"])
def test_a_saved_learner_answers_in_a_pipeline_as_the_learner_does(
    artifact_folder: Path, tmp_path: Path, way: str
) -> None:
    from transformers import AutoModelForSequenceClassification, pipeline

    learner = load_artifact(artifact_folder).train(init_seed=1)
    folder = tmp_path / "saved"
    (learner if way == "learner" else learner.to_transformers()).save_pretrained(folder)
    classify = pipeline("text-classification", model=str(folder))
    # Longer than the model's positions, so that a text without truncation would raise an IndexError.
    texts = ["goal match team", "bank shares profit " * 20]
    answers = classify(texts, truncation=True)
    assert [answer["label"] for answer in answers] == learner.predict(texts)
    scores = learner.logits(texts).softmax(-1).max(-1).values
    torch.testing.assert_close(
        torch.tensor([answer["score"] for answer in answers]), scores, rtol=1e-4, atol=1e-5
    )
    assert classify.tokenizer.model_max_length == 16
    assert len(classify.tokenizer) == len(learner.encoder.tokenizer)
    saved = AutoModelForSequenceClassification.from_pretrained(folder)
    assert saved.config.id2label == {0: "sport", 1: "money"}
    assert saved.config.architectures == ["BertForSequenceClassification"]


def _with_mean(artifact: Artifact) -> Artifact:
    model = {**artifact.manifest["model"], "pooling": "mean"}
    return artifact._replace(manifest={**artifact.manifest, "model": model})


def _sentence_transformer_logits(folder: Path, texts: list[str]) -> Tensor:
    """The logits as sentence-transformers computes them, by the modules of the folder in turn."""
    from transformers import AutoModel, AutoTokenizer

    modules = json.loads((folder / "modules.json").read_text())
    kinds = [module["type"].removeprefix("sentence_transformers.models.") for module in modules]
    assert kinds == ["Transformer", "Pooling", "Dense", "Dense"]
    encoder, pooling, *layers = (folder / module["path"] for module in modules)
    limit = json.loads((encoder / "sentence_bert_config.json").read_text())["max_seq_length"]
    inputs = AutoTokenizer.from_pretrained(encoder)(
        texts, padding=True, truncation=True, max_length=limit, return_tensors="pt"
    )
    assert json.loads((pooling / "config.json").read_text())["pooling_mode_mean_tokens"] is True
    hidden = AutoModel.from_pretrained(encoder)(**inputs).last_hidden_state
    mask = inputs["attention_mask"][..., None]
    values = (hidden * mask).sum(1) / mask.sum(1)
    for layer in layers:
        config = json.loads((layer / "config.json").read_text())
        linear = torch.nn.Linear(config["in_features"], config["out_features"])
        tensors = load_file(layer / "model.safetensors")
        linear.load_state_dict({n.removeprefix("linear."): t for n, t in tensors.items()})
        module, _, name = config["activation_function"].rpartition(".")
        values = getattr(importlib.import_module(module), name)()(linear(values))
    return values


def test_a_learner_with_mean_pooling_is_saved_for_sentence_transformers_alone(
    artifact_folder: Path, tmp_path: Path
) -> None:
    from transformers import AutoConfig, pipeline

    artifact = load_artifact(artifact_folder)
    learner = _with_mean(artifact).train(init_seed=1)
    texts = ["goal match team", "bank shares profit " * 20]
    assert not torch.allclose(learner.logits(texts), artifact.train(init_seed=1).logits(texts))
    learner.save_pretrained(tmp_path / "saved")
    found = _sentence_transformer_logits(tmp_path / "saved", texts)
    torch.testing.assert_close(found, learner.logits(texts), rtol=1e-4, atol=1e-5)
    config = AutoConfig.from_pretrained(tmp_path / "saved" / "0_Transformer")
    assert config.id2label == {0: "sport", 1: "money"}
    with pytest.raises((OSError, ValueError), match=r"config\.json|model_type"):
        pipeline("text-classification", model=str(tmp_path / "saved"))
    with pytest.raises(StillhouseError, match=r"--pooling mean.*sentence-transformers"):
        learner.to_transformers()


def test_one_text_has_one_label_and_no_text_has_none(artifact_folder: Path) -> None:
    learner = load_artifact(artifact_folder).train(init_seed=1)
    assert learner.predict("goal match team") == learner.predict(["goal match team"])[0]
    assert learner.predict("goal", "bank") == learner.predict(["goal"], ["bank"])[0]
    assert learner.predict([]) == []
    assert learner.logits([]).shape == (0, 2)
    assert learner.predict(("goal", "bank")) == learner.predict(["goal", "bank"])


def test_a_number_of_pairs_unlike_that_of_texts_is_refused(artifact_folder: Path) -> None:
    learner = load_artifact(artifact_folder).train(init_seed=1)
    with pytest.raises(ValueError, match="there must be 2 pairs, one for each, got 1"):
        learner.predict(["goal", "bank"], ["match"])


def test_an_init_seed_gives_the_same_learner_and_another_a_different_one(
    artifact_folder: Path,
) -> None:
    artifact = load_artifact(artifact_folder)
    texts = ["goal bank"]
    first, again, other = (artifact.train(seed).logits(texts) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_manifest_names_everything_that_made_the_data(artifact_folder: Path) -> None:
    manifest = json.loads((artifact_folder / MANIFEST_NAME).read_text())
    assert manifest["dataset"]["class_names"] == ["sport", "money"]
    assert manifest["inner_loss"] == {"attention_lambda": 1.0, "attention_reduction": "keys"}
    assert manifest["protocol"] == "validation"
    assert manifest["kept_step"] in (4, 8, 12)
    assert 0 <= manifest["validation_accuracy"] <= 1
    assert {"torch", "transformers"} <= set(manifest["environment"])


def test_half_precision_attention_labels_lose_little(settings, tmp_path: Path, reporter) -> None:
    folders = {}
    for dtype in ("fp32", "fp16"):
        chosen = settings._replace(distilled=settings.distilled._replace(artifact_dtype=dtype))
        folders[dtype] = distill(task_of(chosen, reporter, tmp_path / dtype)).folder
    full, half = (load_artifact(folders[dtype]).data for dtype in ("fp32", "fp16"))
    assert torch.equal(full.x, half.x)
    stored = read_tensors(folders["fp16"] / TENSORS_NAME)[0]["attention_log_probabilities"]
    assert stored.dtype == torch.float16
    one, other = (data.attention_labels.log_probabilities for data in (full, half))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("damage", ["cut", "flipped", "manifest", "form", "missing"])
def test_a_damaged_artifact_is_refused_in_one_sentence(artifact_folder: Path, damage: str) -> None:
    tensors, manifest = artifact_folder / TENSORS_NAME, artifact_folder / MANIFEST_NAME
    content = bytearray(tensors.read_bytes())
    if damage == "cut":
        tensors.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[-1] ^= 1
        tensors.write_bytes(content)
    elif damage == "manifest":
        manifest.write_text("{")
    elif damage == "form":
        manifest.write_text('{"sha256": 0.5}')
    else:
        manifest.unlink()
    with pytest.raises(StillhouseError) as caught:
        load_artifact(artifact_folder)
    assert caught.value.kind == ("not_found" if damage == "missing" else "invalid")
    assert str(artifact_folder) in caught.value.message


def test_an_artifact_of_another_encoder_is_refused(artifact_folder: Path, tiny_distilbert) -> None:
    path = artifact_folder / MANIFEST_NAME
    manifest = json.loads(path.read_text())
    manifest["model"]["name"] = str(tiny_distilbert)
    path.write_text(json.dumps(manifest))
    with pytest.raises(StillhouseError, match="not the one that the data was distilled for"):
        load_artifact(artifact_folder).train()
