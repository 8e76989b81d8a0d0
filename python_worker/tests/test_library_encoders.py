"""Encoders whose layers the library computes: against the library, and against the oracle."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from library_models import ARCHITECTURES, save_library_model
from safetensors.torch import load_file, save_file
from tasks_of import run
from test_meta_gradient import assert_slopes

from bench._small_problem import problem
from conftest import TOPICS
from stillhouse_worker.artifacts import load_artifact
from stillhouse_worker.context.settings import ModelSettings, Settings
from stillhouse_worker.distillation.meta_gradient import blockwise, stepwise, unrolled
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.inspection.distilled_data import inspected
from stillhouse_worker.learners import Encoder, draw_head, learner_params, predict
from stillhouse_worker.learners.dropout import Dropout
from stillhouse_worker.learners.library_layers import scores_of
from stillhouse_worker.models.catalog import model_fingerprint
from stillhouse_worker.models.export import (
    has_classifier,
    save_sentence_transformer,
    to_transformers,
)
from stillhouse_worker.models.files import read_model_facts
from stillhouse_worker.models.library import LIBRARY
from stillhouse_worker.models.opened import load_encoder
from stillhouse_worker.models.soundness import check_model

WORDS = sorted({word for topic in TOPICS.values() for word in topic})
# Parts of these compute in float32 whatever they are given: LayerNorm here, softmax there.
SINGLE = ("deberta", "modernbert")
DOUBLE = tuple(name for name in ARCHITECTURES if name not in SINGLE)


def choices(names: Iterable[str], quick: Sequence[str]) -> list:
    """All of them as parameters, of which the quick ones run always: they have the most parts."""
    marks = {name: [] if name in quick else [pytest.mark.long] for name in names}
    return [pytest.param(name, marks=marks[name]) for name in names]


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folders: dict[str, Path] = {}

    def made(name: str) -> Path:
        if name not in folders:
            place = tmp_path_factory.mktemp("models") / name
            folders[name] = save_library_model(place, name, WORDS)
        return folders[name]

    return made


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(2)
    ids = torch.randint(5, 20, (4, 7), generator=draws)
    mask = torch.arange(7)[None] < torch.tensor([7, 3, 5, 1])[:, None]
    return ids * mask, torch.zeros_like(ids), mask


def case(folder: Path) -> tuple[Encoder, dict[str, torch.Tensor]]:
    encoder = load_encoder(folder)
    head = draw_head(encoder.config.width, 3, "default", torch.Generator().manual_seed(3))
    return encoder, learner_params(encoder, head)


def library_output(folder: Path):
    """What the library computes of the batch, with padding as its tokenizers number it."""
    from transformers import AutoModel

    ids, _, mask = batch()
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    padded = torch.where(mask, ids, torch.ones_like(ids))
    return model(input_ids=padded, attention_mask=mask.long(), output_attentions=True)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_and_attention_are_those_of_the_library(folder_of, architecture: str) -> None:
    encoder, params = case(folder_of(architecture))
    ids, types, mask = batch()
    output = library_output(folder_of(architecture))
    dense, out = (
        (params[f"head.{name}.weight"], params[f"head.{name}.bias"]) for name in ("dense", "out")
    )
    expected = F.linear(torch.tanh(F.linear(output.last_hidden_state[:, 0], *dense)), *out)
    actual = predict(encoder, params, (ids, types), mask)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)
    scored = encoder.forward(params, encoder.embed(ids, types), mask)
    torch.testing.assert_close(scored.logits, expected, rtol=1e-5, atol=1e-6)
    assert len(scored.scores) == len(scored.hidden) == len(output.attentions) == 2
    for scores, shares in zip(scored.scores, output.attentions, strict=True):
        torch.testing.assert_close(
            scores.softmax(-1)[mask[:, None].expand(-1, 2, -1)],
            shares[mask[:, None].expand(-1, 2, -1)],
        )


@pytest.mark.parametrize(
    "methods",
    [["stepwise"], pytest.param(["stepwise", "unrolled"], marks=pytest.mark.long)],
    ids=["stepwise", "both"],
)
@pytest.mark.parametrize("architecture", choices(DOUBLE, ["albert", "deberta-v2"]))
def test_meta_gradient_is_the_slope_of_the_outer_loss(
    folder_of, architecture: str, methods: list[str]
) -> None:
    encoder = load_encoder(folder_of(architecture))
    assert_slopes(methods, *problem(encoder, "unrestricted", "cls", 2, "per_step", True))


def _unmasked(encoder: Encoder) -> Callable:
    ids, types, _ = batch()
    entry = encoder.embed(ids, types).double()
    targets = torch.tensor([0, 1, 2, 0])
    return lambda theta: F.cross_entropy(encoder.forward(theta, entry).logits, targets)


@pytest.mark.parametrize("architecture", choices(SINGLE, ["modernbert"]))
def test_meta_gradient_is_the_slope_as_far_as_float32_shows_it(folder_of, architecture) -> None:
    encoder = load_encoder(folder_of(architecture))
    given = problem(encoder, "unrestricted", "cls", 2, "per_step", True)
    if architecture == "modernbert":  # in float64 alone, its masks become infinite in its softmax
        given = (given[0]._replace(outer_losses=[_unmasked(encoder)]), *given[1:])
    assert_slopes(["stepwise"], *given, size=1e-2, tolerance=2e-3)
    oracle, own = unrolled(*given).grads, stepwise(*given).grads
    for name, expected in oracle.items():
        assert (own[name] - expected).norm() <= 1e-5 * expected.norm()


@pytest.mark.parametrize("architecture", choices(ARCHITECTURES, ["modernbert"]))
def test_in_float32_padding_leaves_the_gradient_finite(folder_of, architecture: str) -> None:
    encoder = load_encoder(folder_of(architecture))
    grads = stepwise(*problem(encoder, attention="all", dtype=torch.float32)).grads
    assert all(tensor.isfinite().all() and tensor.any() for tensor in grads.values())


def test_rounded_products_keep_the_direction(folder_of) -> None:
    encoder = load_encoder(folder_of("roberta"))
    case, phi, theta = problem(encoder, num_steps=2, learn_lr="shared", dtype=torch.float32)
    rounded = dataclasses.replace(case.inner_loss, precision="bf16")
    exact = stepwise(case, phi, theta).grads
    actual = stepwise(case._replace(inner_loss=rounded), phi, theta).grads
    for name in ("x", "labels", "attention"):
        assert not torch.equal(actual[name], exact[name]), "nothing was rounded"
        assert torch.cosine_similarity(actual[name].ravel(), exact[name].ravel(), dim=0) > 0.999


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_dropout_with_a_seed_drops_the_same_values_again(folder_of, architecture: str) -> None:
    encoder, params = case(folder_of(architecture))
    ids, types, mask = batch()
    entry = encoder.embed(ids, types)
    library = encoder.library
    assert library is not None
    state = torch.get_rng_state()
    plain, one, other, again = (
        library.run(params, entry, mask, is_scored=True, dropout=dropout)
        for dropout in (None, Dropout(0.5, 1), Dropout(0.5, 2), Dropout(0.5, 1))
    )
    assert torch.equal(torch.get_rng_state(), state), "the generator of others is left alone"
    assert torch.equal(one.hidden, again.hidden)
    # In every layer: later ones differ by what enters them, too, but the first does not.
    for layer in range(2):
        assert not torch.allclose(plain.firsts[layer], one.firsts[layer])
        assert not torch.allclose(other.firsts[layer], one.firsts[layer])
    assert one.scores == ()


@pytest.mark.parametrize("architecture", choices([*DOUBLE, *SINGLE], ["deberta-v2"]))
def test_under_dropout_the_meta_gradient_is_the_slope_too(folder_of, architecture: str) -> None:
    encoder = load_encoder(folder_of(architecture))
    given = problem(encoder, "restricted", "none", 2, "per_step", dropout=0.2)
    oracle, own = unrolled(*given).grads, stepwise(*given).grads
    single = architecture in SINGLE
    for name, expected in oracle.items():
        assert (own[name] - expected).norm() <= (1e-5 if single else 1e-12) * expected.norm()
    if not single:
        assert_slopes(["stepwise"], *given)


def test_attention_labels_are_refused_under_dropout_which_hides_the_attention(folder_of) -> None:
    given = problem(load_encoder(folder_of("roberta")), attention="cls", dropout=0.1)
    with pytest.raises(StillhouseError, match="attention labels need --inner-dropout 0"):
        stepwise(*given)


def test_very_small_attention_has_a_finite_second_derivative() -> None:
    scores = torch.tensor([[0.0, -200.0]], requires_grad=True)
    shares = scores_of(scores.softmax(-1))
    (first,) = torch.autograd.grad(shares.sum(), scores, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), scores)
    assert first.isfinite().all()
    assert second.isfinite().all()


def test_blockwise_is_refused(folder_of) -> None:
    encoder = load_encoder(folder_of("roberta"))
    with pytest.raises(StillhouseError, match="use --meta-gradient stepwise"):
        blockwise(*problem(encoder))


def _refusal(folder: Path) -> str:
    with pytest.raises(StillhouseError) as caught:
        check_model(folder, read_model_facts(folder))
    assert (caught.value.kind, caught.value.field) == ("invalid", "model.name")
    assert caught.value.message.isprintable()
    return caught.value.message


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_sound_model_is_accepted(folder_of, architecture: str) -> None:
    folder = folder_of(architecture)
    facts = read_model_facts(folder)
    check_model(folder, facts)
    narrow = architecture in ("albert", "electra")
    assert facts[2:7] == (2, 2, 16, 32 if _skips(architecture) else 34, 8 if narrow else 16)
    assert facts.attention_span == (4 if architecture == "modernbert" else 0)
    assert not facts.is_staged


def _skips(architecture: str) -> bool:
    return architecture in ("camembert", "mpnet", "roberta", "xlm-roberta")


def test_what_cannot_be_computed_is_named(folder_of, tmp_path: Path) -> None:
    folder = shutil.copytree(folder_of("roberta"), tmp_path / "model")
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    name = "encoder.layer.1.output.dense.weight"
    save_file({n: t for n, t in tensors.items() if n != name}, weights)
    assert f"its weights lack {name}" in _refusal(folder)
    save_file({**tensors, name: torch.zeros(3, 3)}, weights)
    assert f"{name} must be 16 x 32 by config.json, got 3 x 3" in _refusal(folder)
    save_file({**tensors, name: tensors[name] * torch.inf}, weights)
    assert f"numbers in {name} are NaN or infinite" in _refusal(folder)
    save_file(tensors, weights)
    _change_config(folder, is_decoder=True)
    assert "it is a decoder" in _refusal(folder)


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        ("gpt2", ", which cannot be used: it is a decoder, whose tokens see only those before"),
        ("t5", ", which cannot be used: it is an encoder with a decoder"),
        ("longformer", "sparse"),
        ("unheard-of", "(model_type in config.json); allowed are bert, distilbert, albert"),
    ],
)
def test_other_architectures_are_refused_with_the_reason(
    folder_of, tmp_path: Path, architecture: str, reason: str
) -> None:
    folder = shutil.copytree(folder_of("roberta"), tmp_path / "model")
    _change_config(folder, model_type=architecture)
    assert reason in _refusal(folder)


def _change_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    "architecture",
    choices([n for n, kind in LIBRARY.items() if kind.head], ["albert", "deberta-v2", "roberta"]),
)
def test_an_exported_classifier_of_the_library_has_the_same_logits(
    folder_of, tmp_path: Path, architecture: str
) -> None:
    from transformers import AutoModelForSequenceClassification

    encoder, params = case(folder_of(architecture))
    to_transformers(encoder, params, ["a", "b", "c"], 16).save_pretrained(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    ids, types, mask = batch()
    padded = torch.where(mask, ids, torch.ones_like(ids))
    actual = model(input_ids=padded, attention_mask=mask.long()).logits
    expected = predict(encoder, params, (ids, types), mask)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)
    assert model.config.id2label == {0: "a", 1: "b", 2: "c"}


@pytest.mark.parametrize("architecture", ["electra", "modernbert"])
def test_where_the_library_has_another_head_a_sentence_encoder_is_written(
    folder_of, tmp_path: Path, architecture: str
) -> None:
    from transformers import AutoModel

    encoder, params = case(folder_of(architecture))
    assert not has_classifier(encoder)
    with pytest.raises(StillhouseError, match=rf"{architecture} .* save_pretrained\(folder\)"):
        to_transformers(encoder, params, ["a", "b", "c"], 16)
    save_sentence_transformer(tmp_path, encoder, params, ["a", "b", "c"], 16)
    ids, types, mask = batch()
    model = AutoModel.from_pretrained(tmp_path / "0_Transformer").eval()
    hidden = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state[:, 0]
    pooling = json.loads((tmp_path / "1_Pooling" / "config.json").read_text())
    assert pooling["pooling_mode_cls_token"]
    for name, activation in (("2_Dense", torch.tanh), ("3_Dense", torch.nn.Identity())):
        layer = load_file(tmp_path / name / "model.safetensors")
        hidden = activation(F.linear(hidden, layer["linear.weight"], layer["linear.bias"]))
    expected = predict(encoder, params, (ids, types), mask)
    torch.testing.assert_close(hidden, expected, rtol=1e-5, atol=1e-6)


def test_every_task_runs_with_such_an_encoder(
    folder_of, settings: Settings, reporter, tmp_path: Path
) -> None:
    folder = folder_of("electra")
    own = settings._replace(
        model=ModelSettings(
            str(folder), "local", model_fingerprint(folder).whole, "default", False
        ),
        outer=settings.outer._replace(num_steps=3),
        full=settings.full._replace(epochs=1),
    )
    artifact = run("distill", own, [], "", tmp_path / "distill", reporter).folder
    for work in ("evaluate", "untrained", "random", "herding", "linear_probe", "setfit_8", "full"):
        outcome = run(work, own, [0], artifact, tmp_path / work, reporter)
        assert 0 <= outcome.inits[0].accuracy <= 1, work
    shown = inspected(load_artifact(artifact), 2)
    assert len(shown["samples"][0]["positions"]) == own.distilled.seq_len
    learner = load_artifact(artifact).train(1)
    learner.save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "modules.json").is_file()
    assert learner.predict("goal match") in TOPICS
