"""Measuring learners: accuracy, loss, macro F1, and the baselines that they are compared with."""

from .measure import Measures, logits_of, measure

__all__ = ["Measures", "logits_of", "measure"]
