"""Labelled text: where sets come from, how they are split, tokenised and batched."""

from .batching import (
    Batch,
    TokenSplit,
    collate,
    epoch_batches,
    length_sorted_batches,
    select_rows,
    tokenise,
)
from .loading import Reading, load_dataset
from .rows import Dataset, Split

__all__ = [
    "Batch",
    "Dataset",
    "Reading",
    "Split",
    "TokenSplit",
    "collate",
    "epoch_batches",
    "length_sorted_batches",
    "load_dataset",
    "select_rows",
    "tokenise",
]
