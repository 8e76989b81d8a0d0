"""The network of words that an experiment or an artifact names."""

import torch

from ..errors import StillhouseError
from ..learners.word_nets import WordNet, make_word_net
from .nets import net_fingerprint
from .word_tokenizer import fast_tokenizer
from .word_vectors import locate_vectors, open_vectors, vectors_fingerprint


def load_word_net(
    name: str, fingerprint: str, embeddings: str, path: str, embeddings_fingerprint: str
) -> WordNet:
    """Open a network with its word vectors, on the CPU.

    Args:
        name, fingerprint: of the network.
        embeddings: name of the vectors.
        path: where they were.
        embeddings_fingerprint: of them.

    Raises:
        StillhouseError: not_found where the vectors are not there; conflict where network or
            vectors are not those of the fingerprints.
    """
    if net_fingerprint(name) != fingerprint:
        raise StillhouseError(
            "conflict",
            f"the network {name} has changed since the experiment was created; create a new one",
            field="model.fingerprint",
        )
    location = locate_vectors(embeddings, None, path)
    table = open_vectors(location)
    found = vectors_fingerprint(table)
    if found != embeddings_fingerprint:
        raise StillhouseError(
            "conflict",
            f"the word vectors {location.path} are not those that the experiment was created for: "
            f"their fingerprint is {found[:12]}, not {embeddings_fingerprint[:12]}",
            field="model.embeddings",
        )
    vectors = torch.from_numpy(table.vectors)
    return make_word_net(name, vectors, fast_tokenizer(table.words))
