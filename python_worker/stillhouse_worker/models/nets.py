"""Networks by their names, without the seconds that importing PyTorch takes."""

import hashlib

DEFAULT_NET = "lenet"
# Of images.
NETS: tuple[str, ...] = ("lenet", "alexcifarnet", "mlp", "convnet", "lenet5", "mlp-500")
# Of words, which enter them as vectors.
WORD_NETS: tuple[str, ...] = ("textcnn", "textrnn", "textlstm", "textcnn-li")
# Raised when what a name means changes.
_VERSION = 1


def is_net(name: str) -> bool:
    """Whether a model is a network of images."""
    return name in NETS


def is_word_net(name: str) -> bool:
    """Whether a model is a network of word vectors."""
    return name in WORD_NETS


def net_fingerprint(name: str) -> str:
    """SHA-256 (hex) that stands for an architecture: it has no weights of its own."""
    return hashlib.sha256(f"net {name} {_VERSION}".encode()).hexdigest()
