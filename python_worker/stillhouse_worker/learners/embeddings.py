"""The embeddings: from tokens to the vectors that enter the first block."""

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Embeddings(nn.Module):
    """Words, positions and, where there are any, token types: their sum, LayerNorm, dropout.

    Its tensors have the names of those in files of BERT and DistilBERT, so it is built from them.
    """

    token_type_embeddings: nn.Embedding | None

    def __init__(self, tensors: dict[str, Tensor], norm_eps: float) -> None:
        """Make it from tensors, which become its parameters and get no gradient.

        Args:
            tensors: by their names, such as ``word_embeddings.weight``.
            norm_eps: what LayerNorm adds to a variance.
        """
        super().__init__()
        self.word_embeddings = _table(tensors, "word_embeddings")
        self.position_embeddings = _table(tensors, "position_embeddings")
        has_types = "token_type_embeddings.weight" in tensors
        self.token_type_embeddings = _table(tensors, "token_type_embeddings") if has_types else None
        self.LayerNorm = nn.LayerNorm(self.word_embeddings.embedding_dim, eps=norm_eps)
        # Training code sets the rate.
        self.dropout = nn.Dropout(0.0)
        self.load_state_dict(tensors, assign=True)
        self.requires_grad_(False)

    def forward(
        self,
        input_ids: Int[Tensor, "b s"],
        token_type_ids: Int[Tensor, "b s"] | None = None,
        position_ids: Int[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "b s e"]:
        """Embed tokens; without the others they are of the first text, one after the other."""
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        vectors = self.word_embeddings(input_ids)
        if self.token_type_embeddings is not None:
            if token_type_ids is None:
                token_type_ids = torch.zeros_like(input_ids)
            vectors = vectors + self.token_type_embeddings(token_type_ids)
        vectors = vectors + self.position_embeddings(position_ids)
        return cast(Tensor, self.dropout(self.LayerNorm(vectors)))


def _table(tensors: dict[str, Tensor], name: str) -> nn.Embedding:
    # Not drawn first: a draw would be thrown away, and would move PyTorch's global generator.
    return nn.Embedding.from_pretrained(tensors[f"{name}.weight"])  # type: ignore[no-untyped-call]
