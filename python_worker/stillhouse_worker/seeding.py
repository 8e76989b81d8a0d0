"""Random generators that depend on a seed and a purpose alone, never on what ran before."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive_seed(seed: int, purpose: str, index: int = 0) -> int:
    """A 63-bit seed for ``purpose``; different purposes and indices give unrelated streams."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str, index: int = 0) -> "torch.Generator":
    """A CPU generator at the start of the stream of ``derive_seed``."""
    import torch  # takes seconds, and `derive_seed` does not need it

    return torch.Generator().manual_seed(derive_seed(seed, purpose, index))
