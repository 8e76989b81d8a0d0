"""Our learner against transformers' own models, and its variants against each other."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.learners import (
    draw_head,
    features,
    forward,
    learner_params,
    predict,
)
from stillhouse_worker.learners.dropout import Dropout
from stillhouse_worker.models.export import to_transformers
from stillhouse_worker.models.opened import load_encoder


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(2)
    ids = torch.randint(5, 20, (4, 7), generator=draws)
    types = torch.zeros_like(ids)
    types[:, 4:] = 1
    mask = torch.arange(7)[None] < torch.tensor([7, 3, 5, 1])[:, None]
    return ids, types, mask


def case(folder: Path):
    encoder = load_encoder(str(folder))
    head = draw_head(encoder.config.width, 3, "default", torch.Generator().manual_seed(3))
    return encoder, learner_params(encoder, head)


def head_of(params, hidden: torch.Tensor) -> torch.Tensor:
    pooled = torch.tanh(F.linear(hidden, params["head.dense.weight"], params["head.dense.bias"]))
    return F.linear(pooled, params["head.out.weight"], params["head.out.bias"])


@pytest.mark.parametrize("kind", ["tiny_model", "tiny_distilbert"])
def test_entry_vectors_of_real_tokens_give_the_logits_of_transformers(
    kind: str, request: pytest.FixtureRequest
) -> None:
    from transformers import AutoModel

    folder = request.getfixturevalue(kind)
    encoder, params = case(folder)
    ids, types, mask = batch()
    model = AutoModel.from_pretrained(folder).eval()
    extra = {"token_type_ids": types} if kind == "tiny_model" else {}
    hidden = model(input_ids=ids, attention_mask=mask.long(), **extra).last_hidden_state[:, 0]
    actual = predict(encoder, params, (ids, types), mask)
    torch.testing.assert_close(actual, head_of(params, hidden), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["tiny_model", "tiny_distilbert"])
def test_with_mean_pooling_a_head_gets_the_mean_of_the_real_tokens(
    kind: str, request: pytest.FixtureRequest
) -> None:
    from transformers import AutoModel

    folder = request.getfixturevalue(kind)
    encoder, params = case(folder)
    encoder = encoder._replace(config=encoder.config._replace(pooling="mean"))
    ids, types, mask = batch()
    model = AutoModel.from_pretrained(folder).eval()
    extra = {"token_type_ids": types} if kind == "tiny_model" else {}
    hidden = model(input_ids=ids, attention_mask=mask.long(), **extra).last_hidden_state
    means = torch.stack([row[real].mean(0) for row, real in zip(hidden, mask, strict=True)])
    torch.testing.assert_close(features(encoder, ids, types, mask), means, rtol=1e-5, atol=1e-6)
    actual = predict(encoder, params, (ids, types), mask)
    torch.testing.assert_close(actual, head_of(params, means), rtol=1e-5, atol=1e-6)


def test_attention_scores_are_those_of_transformers(tiny_model: Path) -> None:
    from transformers import AutoModel

    encoder, params = case(tiny_model)
    ids, types, mask = batch()
    model = AutoModel.from_pretrained(tiny_model, attn_implementation="eager").eval()
    expected = model(
        input_ids=ids, attention_mask=mask.long(), token_type_ids=types, output_attentions=True
    ).attentions
    entry = encoder.embed(ids, types)
    every = forward(encoder.config, params, entry, mask, score_rows="all")
    first = forward(encoder.config, params, entry, mask)
    torch.testing.assert_close(every.logits, first.logits)
    for index, probabilities in enumerate(expected):
        torch.testing.assert_close(every.scores[index].softmax(-1), probabilities)
        torch.testing.assert_close(
            first.scores[index][:, :, :1].softmax(-1), probabilities[:, :, :1]
        )


def test_fused_and_explicit_attention_agree_in_value_and_gradient(tiny_model: Path) -> None:
    encoder, params = case(tiny_model)
    ids, types, mask = batch()
    entry = encoder.embed(ids, types)
    gradients = []
    for attention in ("fused", "explicit"):
        theta = {name: p.clone().requires_grad_() for name, p in params.items()}
        logits = forward(encoder.config, theta, entry, mask, attention=attention).logits
        loss = F.cross_entropy(logits, torch.tensor([0, 1, 2, 0]))
        gradients.append(torch.autograd.grad(loss, list(theta.values())))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


def test_masked_positions_change_nothing(tiny_model: Path) -> None:
    encoder, params = case(tiny_model)
    ids, types, mask = batch()
    changed = torch.where(mask, ids, torch.full_like(ids, 6))
    torch.testing.assert_close(
        predict(encoder, params, (ids, types), mask),
        predict(encoder, params, (changed, types), mask),
    )


def test_dropout_changes_the_logits_each_time_unless_it_has_a_seed(tiny_model: Path) -> None:
    encoder, params = case(tiny_model)
    ids, types, mask = batch()
    entry = encoder.embed(ids, types)
    plain = forward(encoder.config, params, entry, mask).logits
    torch.manual_seed(0)
    seen = [plain]
    for dropout in (Dropout(0.5), Dropout(0.5), Dropout(0.5, 3)):
        seen.append(forward(encoder.config, params, entry, mask, dropout=dropout).logits)
        assert not any(torch.allclose(seen[-1], other) for other in seen[:-1])
    again = forward(encoder.config, params, entry, mask, dropout=Dropout(0.5, 3)).logits
    assert torch.equal(again, seen[-1])


def test_default_head_has_the_initialisation_of_linear_layers() -> None:
    head = draw_head(64, 4, "default", torch.Generator().manual_seed(0))
    values = torch.cat([tensor.flatten() for tensor in head.values()])
    assert values.abs().max() <= 1 / 8
    assert values.std().item() == pytest.approx(1 / 8 / 3**0.5, rel=0.05)


def test_normal_head_has_small_weights_and_no_bias() -> None:
    head = draw_head(64, 4, "normal", torch.Generator().manual_seed(0))
    assert head["head.dense.weight"].std().item() == pytest.approx(0.02, rel=0.05)
    assert not head["head.dense.bias"].any()
    assert not head["head.out.bias"].any()


def test_a_seed_gives_the_same_head_every_time() -> None:
    first, second = (draw_head(8, 2, "default", torch.Generator().manual_seed(7)) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", ["tiny_model", "tiny_distilbert"])
def test_exported_transformers_model_has_the_same_logits(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    from transformers import AutoModelForSequenceClassification

    encoder, params = case(request.getfixturevalue(kind))
    ids, types, mask = batch()
    to_transformers(encoder, params, ["a", "b", "c"], 16).save_pretrained(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    actual = model(input_ids=ids, token_type_ids=types, attention_mask=mask.long()).logits
    torch.testing.assert_close(
        actual, predict(encoder, params, (ids, types), mask), rtol=1e-5, atol=1e-6
    )
    assert model.config.id2label == {0: "a", 1: "b", 2: "c"}


def test_a_folder_that_is_no_model_is_named_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StillhouseError, match="so it is not a model") as caught:
        load_encoder(str(tmp_path))
    assert caught.value.field == "model.name"
