"""Tokens, batches and the order of an epoch."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from transformers import BertTokenizerFast

from stillhouse_worker.datasets import (
    Split,
    TokenSplit,
    collate,
    epoch_batches,
    length_sorted_batches,
    select_rows,
    tokenise,
)
from stillhouse_worker.models.packaged import packaged_model_folder

PAD, CLS, SEP = 0, 101, 102


@pytest.fixture(scope="module")
def tokenizer() -> BertTokenizerFast:
    return BertTokenizerFast.from_pretrained(packaged_model_folder())


def tokens_of(*lengths: int) -> TokenSplit:
    """Rows whose tokens are 1000 * row + position + 1."""
    ids = [
        1000 * row + position + 1 for row, size in enumerate(lengths) for position in range(size)
    ]
    return TokenSplit(
        input_ids=torch.tensor(ids, dtype=torch.int32),
        token_type_ids=torch.tensor([token % 2 for token in ids], dtype=torch.int32),
        offsets=torch.tensor([0, *lengths]).cumsum(0),
        labels=torch.arange(len(lengths)),
    )


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_lengths(count: int) -> Tensor:
    return torch.randint(3, 200, (count,), generator=generator(1))


def test_selected_rows_come_in_the_order_of_the_selection() -> None:
    chosen = select_rows(tokens_of(2, 1, 3, 2), torch.tensor([2, 0]))
    assert chosen.input_ids.tolist() == [2001, 2002, 2003, 1, 2]
    assert chosen.token_type_ids.tolist() == [1, 0, 1, 1, 0]
    assert (chosen.offsets.tolist(), chosen.labels.tolist()) == ([0, 3, 5], [2, 0])


def test_tokenise_keeps_rows_apart_and_adds_special_tokens(tokenizer: BertTokenizerFast) -> None:
    tokens = tokenise(Split(["Hello world", "One", "A b c"], None, [2, 0, 1]), tokenizer, 16)
    assert tokens.lengths.tolist() == [4, 3, 5]
    assert tokens.input_ids[tokens.offsets[:-1]].tolist() == [CLS] * 3
    assert tokens.input_ids[tokens.offsets[1:] - 1].tolist() == [SEP] * 3
    assert tokens.token_type_ids.tolist() == [0] * 12
    assert tokens.labels.tolist() == [2, 0, 1]
    assert [part.dtype for part in tokens] == [torch.int32, torch.int32, torch.int64, torch.int64]


def test_tokenise_equals_the_tokenizer_row_by_row(tokenizer: BertTokenizerFast) -> None:
    texts = [f"text number {row} " * (row % 7 + 1) for row in range(5000)]
    tokens = tokenise(Split(texts, None, [0] * len(texts)), tokenizer, 12)
    for row in (0, 1, 4095, 4096, 4999):
        begin, end = tokens.offsets[row : row + 2].tolist()
        expected = tokenizer(texts[row], truncation=True, max_length=12)["input_ids"]
        assert tokens.input_ids[begin:end].tolist() == expected
    assert int(tokens.lengths.max()) == 12


def test_the_longer_text_of_a_pair_is_cut_first(tokenizer: BertTokenizerFast) -> None:
    split = Split(["one two"], ["one two three four five six seven"], [0])
    tokens = tokenise(split, tokenizer, 9)
    assert len(tokens.input_ids) == 9
    assert tokens.token_type_ids.tolist() == [0] * 4 + [1] * 5


def test_collate_pads_to_the_longest_of_its_rows_and_masks_the_rest() -> None:
    batch = collate(tokens_of(4, 2, 9, 1), torch.tensor([3, 0, 1]))
    assert batch.input_ids.tolist() == [[3001, 0, 0, 0], [1, 2, 3, 4], [1001, 1002, 0, 0]]
    assert batch.mask.tolist() == [[True, *[False] * 3], [True] * 4, [True, True, False, False]]
    assert batch.token_type_ids.tolist() == [[1, 0, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]]
    assert batch.labels.tolist() == [3, 0, 1]
    assert [part.dtype for part in batch] == [torch.int64, torch.int64, torch.bool, torch.int64]


def test_collate_reads_the_last_row_at_the_end_of_the_tokens() -> None:
    batch = collate(tokens_of(5, 2), torch.tensor([1, 0]))
    assert batch.input_ids.tolist() == [[1001, 1002, 0, 0, 0], [1, 2, 3, 4, 5]]


@pytest.mark.parametrize(("count", "batch_size"), [(1000, 16), (1003, 16), (5, 16), (64, 1)])
def test_an_epoch_has_each_row_exactly_once(count: int, batch_size: int) -> None:
    batches = epoch_batches(random_lengths(count), batch_size, generator(0), pool_size=4)
    assert sorted(torch.cat(batches).tolist()) == list(range(count))
    sizes = sorted(len(batch) for batch in batches)
    assert sizes[1:] == [batch_size] * (len(batches) - 1)
    assert len(batches) == -(-count // batch_size)


def test_an_epoch_is_decided_by_the_generator_alone() -> None:
    lengths = random_lengths(500)
    first, again, other = (
        [batch.tolist() for batch in epoch_batches(lengths, 8, generator(seed))]
        for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_a_second_epoch_of_the_same_generator_is_in_another_order() -> None:
    shared = generator(3)
    first, second = (
        [batch.tolist() for batch in epoch_batches(random_lengths(500), 8, shared)]
        for _ in range(2)
    )
    assert first != second


def test_pools_halve_the_padding_of_plain_shuffling() -> None:
    lengths = random_lengths(4000)

    def padding(pool_size: int) -> int:
        batches = epoch_batches(lengths, 16, generator(0), pool_size)
        return sum(int((lengths[rows].max() - lengths[rows]).sum()) for rows in batches)

    assert padding(32) < 0.1 * padding(1)


def test_batches_of_an_epoch_do_not_come_in_order_of_length() -> None:
    lengths = random_lengths(4000)
    longest = [int(lengths[rows].max()) for rows in epoch_batches(lengths, 16, generator(0))]
    rises = sum(after > before for before, after in pairwise(longest))
    assert 0.4 < rises / len(longest) < 0.6


def test_batches_for_measuring_go_from_longest_to_shortest_with_each_row_once() -> None:
    lengths = random_lengths(1003)
    batches = length_sorted_batches(lengths, 64)
    rows = torch.cat(batches)
    assert sorted(rows.tolist()) == list(range(1003))
    assert bool((lengths[rows][1:] <= lengths[rows][:-1]).all())
