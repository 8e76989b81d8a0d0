"""From texts to token ids to padded batches; a set fits memory, so there is no data loader."""

from array import array
from typing import Any, NamedTuple, overload

import torch
import torch.nn.functional as F
from jaxtyping import Int64
from torch import Tensor

from ..stopping import may_stop
from .pixel_batches import PixelBatch, PixelSplit
from .rows import Split

# Rows given to the tokenizer at once: enough to keep its threads busy, few enough that its
# Python lists of ids stay small beside the flat tensors that are kept.
_TOKENISE_ROWS = 1024


class TokenSplit(NamedTuple):
    """Token ids of all rows of a split, one after the other (N rows, n tokens in all).

    Attributes:
        input_ids: int32 [n].
        token_type_ids: int32 [n]; 1 in the second text of a pair, else 0.
        offsets: int64 [N + 1]; row r is [offsets[r], offsets[r + 1]).
        labels: int64 [N].
    """

    input_ids: Tensor
    token_type_ids: Tensor
    offsets: Tensor
    labels: Tensor

    @property
    def lengths(self) -> Tensor:
        """Tokens of each row, int64 [N]."""
        return self.offsets[1:] - self.offsets[:-1]


class Batch(NamedTuple):
    """Rows padded to the longest of them (b rows, s tokens).

    Attributes:
        input_ids: int64 [b, s]; 0 where padded.
        token_type_ids: int64 [b, s]; 0 where padded.
        mask: bool [b, s]; True at a real token.
        labels: int64 [b].
    """

    input_ids: Tensor
    token_type_ids: Tensor
    mask: Tensor
    labels: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What a learner embeds."""
        return self.input_ids, self.token_type_ids

    def to(self, device: torch.device) -> "Batch":
        """The same rows on ``device``."""
        return Batch(*(tensor.to(device) for tensor in self))


def tokenise(split: Split, tokenizer: Any, max_length: int) -> TokenSplit:
    """Turn the texts of a split into token ids, special tokens included.

    A text without a token, which a tokenizer without special tokens may find, is an unknown one.

    Args:
        split: single texts or pairs.
        tokenizer: a fast tokenizer of ``transformers``.
        max_length: the most tokens of a row; a longer one is cut, the longer text of a pair first.
    """
    input_ids, token_type_ids, lengths = array("i"), array("i"), array("q", [0])
    for start in range(0, len(split.labels), _TOKENISE_ROWS):
        may_stop()
        chunk = slice(start, start + _TOKENISE_ROWS)
        encoded = tokenizer(
            split.first[chunk],
            None if split.second is None else split.second[chunk],
            truncation="longest_first",
            max_length=max_length,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=True,
        )
        for ids, types in zip(encoded["input_ids"], encoded["token_type_ids"], strict=True):
            input_ids.extend(ids or [tokenizer.unk_token_id])
            token_type_ids.extend(types or [0])
            lengths.append(len(ids) or 1)
    return TokenSplit(
        input_ids=torch.tensor(input_ids, dtype=torch.int32),
        token_type_ids=torch.tensor(token_type_ids, dtype=torch.int32),
        offsets=torch.tensor(lengths, dtype=torch.int64).cumsum(0),
        labels=torch.tensor(split.labels, dtype=torch.int64),
    )


# Texts or images of a split, and of a batch.
RealSplit = TokenSplit | PixelSplit
RealBatch = Batch | PixelBatch


@overload
def select_rows(split: TokenSplit, rows: Int64[Tensor, " b"]) -> TokenSplit: ...
@overload
def select_rows(split: PixelSplit, rows: Int64[Tensor, " b"]) -> PixelSplit: ...


def select_rows(split: RealSplit, rows: Int64[Tensor, " b"]) -> RealSplit:
    """Some rows of a split, in the order of ``rows``, int64 [b]."""
    if isinstance(split, PixelSplit):
        return PixelSplit(split.pixels[rows], split.labels[rows])
    return _selected(split, rows)


def _selected(tokens: TokenSplit, rows: Int64[Tensor, " b"]) -> TokenSplit:
    lengths = tokens.lengths[rows]
    offsets = F.pad(lengths.cumsum(0), (1, 0))
    shift = (tokens.offsets[rows] - offsets[:-1]).repeat_interleave(lengths)
    index = torch.arange(int(offsets[-1])) + shift
    return TokenSplit(
        tokens.input_ids[index], tokens.token_type_ids[index], offsets, tokens.labels[rows]
    )


@overload
def collate(split: TokenSplit, rows: Int64[Tensor, " b"]) -> Batch: ...
@overload
def collate(split: PixelSplit, rows: Int64[Tensor, " b"]) -> PixelBatch: ...


def collate(split: RealSplit, rows: Int64[Tensor, " b"]) -> RealBatch:
    """Gather rows, and pad texts to the longest of them.

    Args:
        split: tokenised, or its pixels.
        rows: row numbers, int64 [b], at least one.
    """
    if isinstance(split, PixelSplit):
        return PixelBatch(split.pixels[rows], split.labels[rows])
    return _padded(split, rows)


def _padded(tokens: TokenSplit, rows: Int64[Tensor, " b"]) -> Batch:
    starts = tokens.offsets[rows]  # [b]
    lengths = tokens.offsets[rows + 1] - starts  # [b]
    positions = torch.arange(int(lengths.max()))  # [s]
    mask = positions < lengths[:, None]  # [b, s]
    # Padding reads some token of another row, which the mask then sets to zero.
    index = (starts[:, None] + positions).clamp(max=tokens.input_ids.numel() - 1)  # [b, s]
    return Batch(
        input_ids=tokens.input_ids[index].long() * mask,
        token_type_ids=tokens.token_type_ids[index].long() * mask,
        mask=mask,
        labels=tokens.labels[rows],
    )


def epoch_batches(
    lengths: Int64[Tensor, " rows"],
    batch_size: int,
    generator: torch.Generator,
    pool_size: int = 32,
) -> list[Tensor]:
    """One shuffled pass over all rows, with little padding.

    Rows are shuffled and cut into pools of ``pool_size`` batches; each pool is sorted by length
    and cut into batches, and the batches are shuffled. Each row comes exactly once; one batch may
    be smaller.

    Args:
        lengths: tokens of each row, int64 [N].
        batch_size: rows of a batch, > 0.
        generator: decides the order; the same state gives the same batches.
        pool_size: batches of a pool; 1 gives plain shuffling, more gives less padding.

    Returns:
        Row numbers of each batch, int64 [batch_size] each.
    """
    shuffled = torch.randperm(len(lengths), generator=generator)
    batches: list[Tensor] = []
    for pool in torch.split(shuffled, pool_size * batch_size):
        batches.extend(torch.split(_sorted_by_length(pool, lengths), batch_size))
    order = torch.randperm(len(batches), generator=generator).tolist()
    return [batches[position] for position in order]


def length_sorted_batches(lengths: Int64[Tensor, " rows"], batch_size: int) -> list[Tensor]:
    """All rows, longest first, for measuring: least padding, and a lack of memory shows at once.

    Args:
        lengths: tokens of each row, int64 [N].
        batch_size: rows of a batch, > 0.
    """
    rows = _sorted_by_length(torch.arange(len(lengths)), lengths)
    return list(torch.split(rows.flip(0), batch_size))


def _sorted_by_length(rows: Tensor, lengths: Tensor) -> Tensor:
    return rows[torch.argsort(lengths[rows], stable=True)]
