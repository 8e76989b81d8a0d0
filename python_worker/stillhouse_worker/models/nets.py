"""Networks of images by their names, without the seconds that importing PyTorch takes."""

import hashlib

DEFAULT_NET = "lenet"
NETS: tuple[str, ...] = ("lenet", "alexcifarnet", "mlp", "convnet")
# Raised when what a name means changes.
_VERSION = 1


def is_net(name: str) -> bool:
    """Whether a model is a network of images."""
    return name in NETS


def net_fingerprint(name: str) -> str:
    """SHA-256 (hex) that stands for an architecture: it has no weights of its own."""
    return hashlib.sha256(f"net {name} {_VERSION}".encode()).hexdigest()
