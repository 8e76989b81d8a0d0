"""The real text set that a package ships."""

from collections import Counter

import pytest

from stillhouse_worker.datasets import Dataset, Reading, load_dataset
from stillhouse_worker.datasets.packaged import _sentences, packaged_source
from stillhouse_worker.errors import StillhouseError


@pytest.fixture(scope="module")
def bbc_news() -> Dataset:
    return load_dataset(
        "bbc_news",
        source="packaged",
        data_dir=None,
        splits=["train", "validation", "test"],
        reading=Reading(0.1, 0.2, "refuse"),
    )


def test_bbc_news_has_the_known_rows_and_fingerprint(bbc_news: Dataset) -> None:
    assert bbc_news.class_names == ("business", "entertainment", "politics", "sports", "tech")
    assert bbc_news.num_rows == {"train": 1470, "validation": 165, "test": 408}
    labels = Counter(label for split in bbc_news.splits.values() for label in split.labels)
    assert labels == {0: 495, 1: 361, 2: 382, 3: 486, 4: 319}
    assert bbc_news.fingerprint.startswith("55deabf06d7d4f65")


def test_every_part_has_every_class(bbc_news: Dataset) -> None:
    for split in bbc_news.splits.values():
        assert set(split.labels) == set(range(5))


def test_texts_are_whole_articles_with_their_pound_signs(bbc_news: Dataset) -> None:
    texts = [text for split in bbc_news.splits.values() for text in split.first]
    assert min(map(len, texts)) > 400
    assert {letter for text in texts for letter in text if not letter.isascii()} == {"£"}


def test_no_test_article_repeats_half_of_its_sentences_from_train(bbc_news: Dataset) -> None:
    train = {sentence for text in bbc_news.splits["train"].first for sentence in _sentences(text)}
    for text in bbc_news.splits["test"].first:
        sentences = _sentences(text)
        repeated = sum(len(sentence) for sentence in sentences if sentence in train)
        assert repeated < 0.5 * sum(map(len, sentences)), text[:80]


def test_another_name_is_not_found() -> None:
    with pytest.raises(StillhouseError, match="no packaged data set is called 'cnn'") as caught:
        packaged_source("cnn")
    assert caught.value.kind == "not_found"
