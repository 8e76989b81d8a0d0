"""What linear classifiers and coresets see of a row: features that no training moves."""

import torch
from jaxtyping import Float
from torch import Tensor

from .encoder import Encoder, features
from .interface import Learner


@torch.no_grad()
def frozen_features(
    learner: Learner, inputs: tuple[Tensor, ...], mask: Tensor | None
) -> Float[Tensor, "b e"]:
    """A pretrained encoder's input to its head; the values of pixels, since a network has nothing
    that is pretrained.

    Args:
        learner: whose features they are.
        inputs, mask: of a batch.
    """
    if isinstance(learner, Encoder):
        input_ids, token_type_ids = inputs
        assert mask is not None, "a batch of texts has a mask"
        return features(learner, input_ids, token_type_ids, mask)
    return learner.embed(*inputs).flatten(1)
