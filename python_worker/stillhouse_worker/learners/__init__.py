"""Learners behind one interface: pretrained encoders with a head."""

from .encoder import Encoder, features, learner_params
from .encoder_config import EncoderConfig
from .head import HEAD_INITS, HeadInit, draw_head
from .interface import AttentionSizes, Learner, Output, predict
from .transformer import Attention, first_order_attention, forward

__all__ = [
    "HEAD_INITS",
    "Attention",
    "AttentionSizes",
    "Encoder",
    "EncoderConfig",
    "HeadInit",
    "Learner",
    "Output",
    "draw_head",
    "features",
    "first_order_attention",
    "forward",
    "learner_params",
    "predict",
]
