"""Learners behind one interface: pretrained encoders with a head, networks of images or words."""

from .encoder import Encoder, features, learner_params
from .encoder_config import EncoderConfig
from .frozen import frozen_features
from .head import HEAD_INITS, HeadInit, draw_head
from .interface import AttentionSizes, Learner, Output, predict
from .nets import Net
from .transformer import Attention, first_order_attention, forward
from .word_nets import WordNet

__all__ = [
    "HEAD_INITS",
    "Attention",
    "AttentionSizes",
    "Encoder",
    "EncoderConfig",
    "HeadInit",
    "Learner",
    "Net",
    "Output",
    "WordNet",
    "draw_head",
    "features",
    "first_order_attention",
    "forward",
    "frozen_features",
    "learner_params",
    "predict",
]
