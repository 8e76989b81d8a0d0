"""Nearest tokens of distilled vectors, at the place where those enter."""

import pytest
import torch

from stillhouse_worker.decoding import nearest_tokens
from stillhouse_worker.learners import Encoder


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
