"""Encoders, heads and the learner that they make together."""

from .encoder import Encoder, EncoderConfig
from .head import HEAD_INITS, HeadInit, draw_head
from .learner import (
    Attention,
    features,
    first_order_attention,
    forward,
    learner_params,
    pooled_features,
    predict,
)

__all__ = [
    "HEAD_INITS",
    "Attention",
    "Encoder",
    "EncoderConfig",
    "HeadInit",
    "draw_head",
    "features",
    "first_order_attention",
    "forward",
    "learner_params",
    "pooled_features",
    "predict",
]
