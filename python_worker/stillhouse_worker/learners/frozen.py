"""What linear classifiers and coresets see of a row: features that no training moves."""

import torch
from jaxtyping import Float
from torch import Tensor

from .encoder import Encoder, features
from .interface import Learner
from .word_nets import WordNet


@torch.no_grad()
def frozen_features(
    learner: Learner, inputs: tuple[Tensor, ...], mask: Tensor | None
) -> Float[Tensor, "b e"]:
    """What of a learner is pretrained: an encoder's input to its head, or the mean of the word
    vectors of a text; the values of pixels of a network of images, which has nothing of the kind.

    Args:
        learner: whose features they are.
        inputs, mask: of a batch.
    """
    if isinstance(learner, Encoder):
        input_ids, token_type_ids = inputs
        assert mask is not None, "a batch of texts has a mask"
        return features(learner, input_ids, token_type_ids, mask)
    if isinstance(learner, WordNet):
        assert mask is not None, "a batch of texts has a mask"
        # Padding adds zeros.
        return learner.embed(*inputs).sum(1) / mask.sum(1, keepdim=True)
    return learner.embed(*inputs).flatten(1)
