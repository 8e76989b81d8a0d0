"""Nearest tokens of distilled vectors, at the layer where the vectors enter."""

import pytest
import torch

from stillhouse_worker.artifacts import Artifact
from stillhouse_worker.distillation.synthetic import AttentionLabels, DistilledData
from stillhouse_worker.inspection.distilled_data import first_attention, learner_output
from stillhouse_worker.learners import Encoder
from stillhouse_worker.learners.nearest_tokens import nearest_tokens


def test_real_text_decodes_to_itself(tiny_encoder: Encoder) -> None:
    draws = torch.Generator().manual_seed(3)
    ids = torch.randint(5, 20, (2, 6), generator=draws)
    x = encoder_entry(tiny_encoder, ids)
    nearest = nearest_tokens(tiny_encoder, x, 3)
    assert torch.equal(nearest.ids[..., 0], ids)
    assert nearest.similarities[..., 0].min().item() == pytest.approx(1.0, abs=1e-5)
    assert (nearest.similarities.diff(dim=-1) <= 0).all()


def test_a_token_is_compared_at_the_position_of_the_vector(tiny_encoder: Encoder) -> None:
    ids = torch.full((1, 4), 7)
    x = encoder_entry(tiny_encoder, ids)
    moved = nearest_tokens(tiny_encoder, x.flip(1), 1)
    assert moved.similarities.min().item() < 0.9999, "another position is another vector"


def encoder_entry(encoder: Encoder, ids: torch.Tensor) -> torch.Tensor:
    return encoder.embed(ids, torch.zeros_like(ids))


def test_the_attention_of_a_learner_is_drawn_towards_the_labels(tiny_encoder: Encoder) -> None:
    draws = torch.Generator().manual_seed(4)
    config = tiny_encoder.config
    num_samples, length, target = 2, 6, 4
    shape = (num_samples, config.num_layers, config.num_heads, length)
    labels = torch.full(shape, 0.01)
    labels[..., target] = 1 - 0.01 * (length - 1)

    def share_of_target(num_steps: int) -> float:
        data = DistilledData(
            torch.randn(num_samples, length, config.width, generator=draws.manual_seed(4)),
            torch.eye(num_samples),
            AttentionLabels.unpacked("cls", labels.log()),
            torch.full((num_steps,), 0.5),
        )
        manifest = {
            "inner_loss": {"attention_lambda": 1.0, "attention_reduction": "keys"},
            "model": {"fixed_init": False, "head_init": "default"},
            "dataset": {"class_names": ["a", "b"]},
            "seed": 0,
        }
        attention = first_attention(learner_output(Artifact(data, manifest), tiny_encoder))
        assert attention.shape == shape
        assert torch.allclose(attention.sum(-1), torch.ones(shape[:-1]))
        return attention[..., target].mean().item()

    assert share_of_target(30) > share_of_target(1) + 0.05
