"""Measuring learners: accuracy, loss, macro F1, and the coresets that they are compared with."""

from .coresets import Coreset, coreset_rows, features_of
from .measure import Measures, logits_of, measure, measures_of

__all__ = [
    "Coreset",
    "Measures",
    "coreset_rows",
    "features_of",
    "logits_of",
    "measure",
    "measures_of",
]
