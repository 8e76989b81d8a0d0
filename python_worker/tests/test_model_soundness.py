"""Models that are accepted before a run can run; those that would fail or be wrong are refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer, BertForSequenceClassification

from conftest import save_tiny_model
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.inspection.questions import describe
from stillhouse_worker.models.files import read_model_facts
from stillhouse_worker.models.opened import load_encoder
from stillhouse_worker.models.soundness import check_model

WEIGHTS = "model.safetensors"


@pytest.fixture(params=["bert", "distilbert"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return save_tiny_model(tmp_path / "model", request.param)


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return save_tiny_model(tmp_path / "model")


def check(folder: Path, *, has_pairs: bool = False) -> None:
    check_model(folder, read_model_facts(folder), has_pairs=has_pairs)


def refusal(folder: Path, *, has_pairs: bool = False) -> str:
    with pytest.raises(StillhouseError) as caught:
        check(folder, has_pairs=has_pairs)
    assert (caught.value.kind, caught.value.field) == ("invalid", "model.name")
    assert caught.value.message.isprintable()
    return caught.value.message


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def test_a_sound_model_is_accepted_for_texts_and_for_pairs(folder: Path) -> None:
    check(folder)
    check(folder, has_pairs=True)


def test_a_classifier_in_half_precision_and_an_older_file_are_accepted(bert: Path) -> None:
    model = BertForSequenceClassification.from_pretrained(bert)
    model.bfloat16().save_pretrained(bert)
    check(bert)
    tensors = load_file(bert / "model.safetensors")
    (bert / "model.safetensors").unlink()
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): tensor
        for name, tensor in tensors.items()
    }
    torch.save(old, bert / "pytorch_model.bin")
    check(bert)


def test_both_names_of_gelu_are_gelu(folder: Path) -> None:
    change_config(folder, hidden_act="gelu_python", activation="gelu_python")
    check(folder)
    assert load_encoder(str(folder)).config.width == 16


@pytest.mark.parametrize("activation", ["gelu_new", "relu", "silu", {"a": 1}])
def test_another_activation_is_refused(folder: Path, activation: object) -> None:
    change_config(folder, hidden_act=activation, activation=activation)
    assert f"its activation is {activation!r}" in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"is_decoder": True}, "it is a decoder"),
        ({"is_decoder": True, "add_cross_attention": True}, "it is a decoder"),
        ({"add_cross_attention": True}, "it has cross attention (add_cross_attention"),
        ({"position_embedding_type": "relative_key"}, "its position_embedding_type is"),
        ({"pruned_heads": {"0": [1]}}, "heads are cut away"),
        ({"num_attention_heads": 3}, "its width 16 is no multiple of its 3 heads"),
        ({"intermediate_size": 64}, "intermediate.dense.weight must be 64 x 16"),
        ({"max_position_embeddings": 64}, "position_embeddings.weight must be 64 x 16"),
    ],
)
def test_a_config_that_changes_the_computation_is_refused_by_name(
    bert: Path, changes: dict[str, Any], said: str
) -> None:
    change_config(bert, **changes)
    assert said in refusal(bert)


def test_a_decoder_is_refused_by_the_task_too(bert: Path) -> None:
    change_config(bert, is_decoder=True)
    with pytest.raises(StillhouseError, match="it is a decoder"):
        load_encoder(str(bert))


def test_a_missing_tensor_is_named_which_transformers_would_draw_at_random(folder: Path) -> None:
    name = next(name for name in load_file(folder / "model.safetensors") if "layer.1." in name)
    change_weights(folder, lambda tensors: tensors.pop(name))
    assert f"its weights lack {name}" in refusal(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_with_their_tensor(
    folder: Path, value: float
) -> None:
    name = list(load_file(folder / "model.safetensors"))[3]

    def damage(tensors: dict[str, torch.Tensor]) -> None:
        tensors[name].view(-1)[0] = value

    change_weights(folder, damage)
    assert (
        f"1 of the {load_file(folder / 'model.safetensors')[name].numel()} numbers in {name} "
        in (refusal(folder))
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_numbers_of_every_width_are_checked(bert: Path, file: str, dtype: torch.dtype) -> None:
    sound = {name: tensor.to(dtype) for name, tensor in load_file(bert / WEIGHTS).items()}
    name = "embeddings.word_embeddings.weight"
    greatest = torch.full_like(sound[name], torch.finfo(dtype).max)
    bad = greatest.clone()
    bad[-1, 1:4] = torch.tensor([float("nan"), float("inf"), float("-inf")])
    (bert / WEIGHTS).unlink()
    for words, said in ((-greatest, None), (bad, f"3 of the {bad.numel()} numbers in {name}")):
        save = save_file if file == WEIGHTS else torch.save
        save({**sound, name: words}, bert / file)
        if said is None:
            check(bert)
        else:
            assert said in refusal(bert)


def test_weights_that_are_whole_numbers_are_refused(bert: Path) -> None:
    name = "embeddings.word_embeddings.weight"
    change_weights(bert, lambda tensors: tensors.update({name: tensors[name].to(torch.int32)}))
    assert f"{name} holds I32, not floating-point numbers" in refusal(bert)


def test_a_tokenizer_with_more_tokens_than_the_embedding_is_refused(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    number = len(tokenizer)
    tokenizer.add_tokens(["zebra"])
    tokenizer.save_pretrained(folder)
    said = f"has the token 'zebra' as number {number}, but the embedding has {number} rows"
    assert said in refusal(folder)
    model = AutoModel.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    check(folder)


def test_a_vocabulary_file_alone_is_counted_by_its_lines(bert: Path) -> None:
    for path in (*bert.glob("tokenizer*"), *bert.glob("special_tokens*")):
        path.unlink()
    check(bert)
    with (bert / "vocab.txt").open("a", encoding="utf-8") as file:
        file.write("zebra\n")
    assert "has the token 'zebra'" in refusal(bert)


@pytest.mark.parametrize("token", ["[CLS]", "[SEP]", "[PAD]", "[UNK]"])
def test_a_vocabulary_without_a_special_token_is_refused(bert: Path, token: str) -> None:
    for path in (*bert.glob("tokenizer*"), *bert.glob("special_tokens*")):
        path.unlink()
    words = (bert / "vocab.txt").read_text("utf-8")
    (bert / "vocab.txt").write_text(words.replace(token, "zebra"), "utf-8")
    assert f"has no token {token!r} in its vocabulary" in refusal(bert)


def test_special_tokens_may_have_other_names(bert: Path) -> None:
    for path in (*bert.glob("tokenizer*"), *bert.glob("special_tokens*")):
        path.unlink()
    words = (bert / "vocab.txt").read_text("utf-8")
    (bert / "vocab.txt").write_text(words.replace("[CLS]", "<s>"), "utf-8")
    named = {"tokenizer_class": "BertTokenizer", "cls_token": "<s>"}
    (bert / "tokenizer_config.json").write_text(json.dumps(named))
    check(bert)
    assert AutoTokenizer.from_pretrained(bert).cls_token_id < len(words.splitlines())


def test_a_tokenizer_that_adds_no_special_tokens_is_refused(bert: Path) -> None:
    path = bert / "tokenizer.json"
    whole = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**whole, "post_processor": None}), "utf-8")
    check(bert)  # BertTokenizer adds them by itself
    config = bert / "tokenizer_config.json"
    stated = json.loads(config.read_text("utf-8"))
    config.write_text(json.dumps({**stated, "tokenizer_class": "PreTrainedTokenizerFast"}), "utf-8")
    assert "puts no special tokens around a text" in refusal(bert)


def test_one_token_type_is_enough_for_texts_and_not_for_pairs(bert: Path) -> None:
    def one_type(tensors: dict[str, torch.Tensor]) -> None:
        name = "embeddings.token_type_embeddings.weight"
        tensors[name] = tensors[name][:1].clone()

    change_weights(bert, one_type)
    change_config(bert, type_vocab_size=1)
    check(bert)
    assert "it has one token type alone (type_vocab_size" in refusal(bert, has_pairs=True)


def test_other_objects_in_old_weights_are_refused_in_plain_words(bert: Path) -> None:
    tensors = load_file(bert / "model.safetensors")
    (bert / "model.safetensors").unlink()
    torch.save({**tensors, "where": Path("x")}, bert / "pytorch_model.bin")
    said = refusal(bert)
    assert "does not hold tensors and nothing else" in said
    assert "save_pretrained" in said


def test_the_question_before_a_run_gives_the_same_answer(tiny_data_dir: Path, bert: Path) -> None:
    def ask() -> dict[str, Any]:
        request = {"dataset": "topics", "data_dir": str(tiny_data_dir), "model": str(bert)}
        request |= {"validation_fraction": 0.1, "test_fraction": 0.2}
        request |= {"bad_rows": {"local": "refuse"}}
        answer: dict[str, Any] = json.loads(describe(json.dumps({**request, "device": "cpu"})))
        return answer

    assert "ok" in ask()
    change_config(bert, hidden_act="relu")
    failure = ask()["failure"]
    assert (failure["kind"], failure["field"]) == ("invalid", "model.name")
    assert "its activation is 'relu'" in failure["message"]
