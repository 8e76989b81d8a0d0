"""Labelled texts and images: where sets come from, how they are split, tokenised and batched."""

from typing import TYPE_CHECKING, Any

from .loading import Reading, load_dataset
from .rows import Dataset, Split

if TYPE_CHECKING:
    from .batching import (
        Batch,
        RealSplit,
        TokenSplit,
        collate,
        epoch_batches,
        length_sorted_batches,
        select_rows,
        tokenise,
    )

__all__ = [
    "Batch",
    "Dataset",
    "Reading",
    "RealSplit",
    "Split",
    "TokenSplit",
    "collate",
    "epoch_batches",
    "length_sorted_batches",
    "load_dataset",
    "select_rows",
    "tokenise",
]


def __getattr__(name: str) -> Any:
    # Batches need torch, which takes seconds to import; reading sets does not need it.
    if name in __all__:
        from . import batching

        return getattr(batching, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
