"""The tokens that are nearest to vectors which enter a learner of texts."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from .encoder import Encoder
from .word_nets import NUM_SPECIAL, WordNet


class Nearest(NamedTuple):
    """The tokens nearest to each distilled vector.

    Attributes:
        ids: token ids, the nearest first.
        similarities: cosines, -1 to 1.
    """

    ids: Tensor
    similarities: Float[Tensor, "m s k"]


@torch.no_grad()
def nearest_tokens(encoder: Encoder, x: Float[Tensor, "m s e"], count: int) -> Nearest:
    """Compare each vector with the whole vocabulary as it enters the first block there.

    A distilled vector enters after position embeddings and LayerNorm, so it is compared with every
    token embedded at the same position, in the first sentence.

    Args:
        encoder: the one that the data was distilled for.
        x: M x S x E.
        count: tokens per vector, k.
    """
    words = encoder.embeddings.word_embeddings
    num_tokens = words.num_embeddings
    vocabulary = torch.arange(num_tokens, device=words.weight.device)[:, None]
    ids, similarities = [], []
    for position in range(x.shape[1]):
        places = torch.full_like(vocabulary, position)
        embedded = encoder.embeddings(input_ids=vocabulary, position_ids=places)[:, 0]
        # The vocabulary is large: dividing by its norms afterwards takes no copy of it.
        cosines = F.normalize(x[:, position], dim=-1) @ embedded.t() / embedded.norm(dim=-1)
        best = cosines.topk(min(count, num_tokens))
        ids.append(best.indices)
        similarities.append(best.values)
    return Nearest(torch.stack(ids, 1), torch.stack(similarities, 1))


@torch.no_grad()
def nearest_words(net: WordNet, x: Float[Tensor, "m s e"], count: int) -> Nearest:
    """Compare each vector with those of all words, which have no place in the text.

    Args:
        net: the one that the data was distilled for.
        x: M x S x E.
        count: words per vector, k.
    """
    words = F.normalize(net.front.weight[NUM_SPECIAL:], dim=-1)
    # A sample at a time: the cosines of all would be M·S·V numbers.
    best = [(F.normalize(part, dim=-1) @ words.t()).topk(min(count, len(words))) for part in x]
    ids = torch.stack([part.indices for part in best]) + NUM_SPECIAL
    return Nearest(ids, torch.stack([part.values for part in best]))
