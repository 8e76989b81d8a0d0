"""Real texts of a local data set, as benchmarks train on them."""

from typing import Any

from stillhouse_worker.datasets import Reading, TokenSplit, load_dataset, tokenise

_READING = Reading(0.05, 0.2, "refuse")


def train_texts(name: str, data_dir: str, tokenizer: Any, max_length: int) -> TokenSplit:
    """Train, without the rows that are held out of it.

    Args:
        name: a folder or file in ``data_dir``.
        tokenizer: of the encoder.
        max_length: tokens that a text is cut to.

    Raises:
        StillhouseError: as `load_dataset` does.
    """
    where = {"source": "local", "data_dir": data_dir}
    dataset = load_dataset(name, **where, splits=["train"], reading=_READING)
    return tokenise(dataset.splits["train"], tokenizer, max_length)
