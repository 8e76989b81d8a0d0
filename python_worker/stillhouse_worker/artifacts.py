"""Distilled data on disk, and what one does with it.

from stillhouse import load_artifact

learner = load_artifact("path/of/the/artifact").train(init_seed=1)
learner.predict(["Oil prices fell after the report."])
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

import torch
from jaxtyping import Float
from torch import Tensor

from .artifact_files import (
    FORMATS,
    MANIFEST_NAME,
    TENSORS_NAME,
    distilled_data,
)
from .datasets import RealSplit, Split, tokenise
from .datasets.given_texts import given_texts
from .datasets.pixel_batches import given_pixels
from .datasets.rows import ImageShape
from .distillation.inner import InnerLoss, inner_loss, train_learner
from .distillation.losses import HiddenTerm
from .distillation.synthetic import DistilledData, block_classes
from .errors import StillhouseError
from .evaluation import Measures, logits_of, measure
from .learners import Encoder, Learner, WordNet
from .learners.encoder_config import Pooling
from .learners.interface import Params
from .learners.nets import make_net
from .learners.pool import start_is_missing
from .learners.precision import Precision
from .learners.starts import Starts
from .models.catalog import model_fingerprint, model_folder
from .models.export import has_classifier, save_sentence_transformer, to_transformers
from .models.opened import load_encoder
from .models.opened_words import load_word_net
from .tensorfile import read_tensors

# Texts, or uint8 images n x channels x height x width.
Samples = Sequence[str] | Tensor
# Errors for well-formed JSON of the wrong shape: a list for an object, or endless nesting.
_WRONG_FORM = (TypeError, AttributeError, RecursionError)


class Artifact(NamedTuple):
    """Distilled data with all that a learner needs to be trained on it.

    Attributes:
        data: the distilled data, fp32, on the CPU.
        manifest: what it is and where it comes from; its keys are those of `write_artifact`.
    """

    data: DistilledData
    manifest: dict[str, Any]

    def train(
        self,
        init_seed: int = 0,
        *,
        device: str = "cpu",
        learner: Learner | None = None,
        start: Params | None = None,
    ) -> "TrainedLearner":
        """Train a fresh learner, or a pretrained one, on the distilled data.

        Args:
            init_seed: seed of what is drawn of it, the head of an encoder and all of a network;
                ignored where that was fixed while distilling.
            device: where to train it, ``cpu`` or ``cuda``.
            learner: the one that the manifest names, when it is loaded already.
            start: its weights before training, such as one of `open_pool`; None: drawn.

        Raises:
            StillhouseError: the encoder is not found, or not the one distilled for; no ``start`` is
                given for data that was distilled for pretrained learners.
        """
        target = torch.device(device)
        learner = (learner or self.load_learner()).to(target)
        loss = self.inner_loss(learner).of_learner(init_seed, "test")
        if start is None and "pool" in self.manifest:
            raise start_is_missing()
        theta = start or self.starts(learner).of_test_learner(init_seed)
        theta = {name: part.to(target) for name, part in theta.items()}
        data = self.data.map(lambda part: part.to(target))
        return TrainedLearner(self, learner, train_learner(loss, data, theta))

    def inner_loss(self, learner: Learner) -> InnerLoss:
        """What learners are trained with, for any of them; see `InnerLoss.of_learner`."""
        inner = self.manifest["inner_loss"]
        attention = inner["attention_lambda"], inner["attention_reduction"]
        # Data from before there was dropout in inner steps is without it, and has KL.
        dropout, kind = inner.get("dropout", 0.0), inner.get("attention_loss", "kl")
        hidden = HiddenTerm(
            inner.get("hidden_loss", "cosine"),
            inner.get("hidden_schedule", "all"),
            len(self.data.lrs),
        )
        return inner_loss(learner, *attention, dropout, kind, hidden)

    @property
    def image(self) -> ImageShape | None:
        """The shape of its images; None where it is distilled from texts."""
        facts = self.manifest["dataset"].get("image")
        return None if facts is None else ImageShape(*facts["shape"])

    def load_learner(self) -> Learner:
        """The encoder or the network that the data was distilled for."""
        if self.image is None:
            return self.load_text_learner()
        facts = self.manifest["dataset"]["image"]
        return make_net(self.manifest["model"]["name"], self.image, facts["mean"], facts["std"])

    def load_text_learner(self) -> Encoder | WordNet:
        """The pretrained encoder, or the network of words, that the data was distilled for."""
        model = self.manifest["model"]
        name, fingerprint, words = (model.get(k) for k in ("name", "fingerprint", "embeddings"))
        if words is not None:
            of_words = (words[key] for key in ("name", "path", "fingerprint"))
            return load_word_net(name, fingerprint, *of_words)
        folder = model_folder(name)
        if fingerprint and not model_fingerprint(folder).is_of(fingerprint):
            raise StillhouseError(
                "conflict",
                f"the model {name} is not the one that the data was distilled for: the fingerprint "
                f"of its weights, config and tokenizer is not {fingerprint[:12]}",
                field="model.fingerprint",
            )
        return load_encoder(folder, self.pooling)

    @property
    def pooling(self) -> Pooling:
        """What a head is given; data from before it could be chosen is for the first token."""
        pooling: Pooling = self.manifest["model"].get("pooling", "first")
        return pooling

    @property
    def sample_classes(self) -> list[int]:
        """The class of each sample at its start, block after block."""
        num_classes = len(self.manifest["dataset"]["class_names"])
        size = len(self.data.x) // self.data.num_blocks
        # Data from before they could be chosen has as many samples of each class.
        classes = self.manifest.get("sample_classes", [])
        return block_classes(num_classes, size // num_classes, classes) * self.data.num_blocks

    def starts(self, learner: Learner) -> Starts:
        """Where learners start from, as while distilling."""
        model, num_classes = self.manifest["model"], len(self.manifest["dataset"]["class_names"])
        seed = self.manifest["seed"]
        return Starts(learner, num_classes, seed, model["head_init"], model["fixed_init"])


class TrainedLearner(NamedTuple):
    """A learner after training on distilled data.

    Attributes:
        artifact: what it was trained on.
        learner: the encoder or network that theta is of.
        params: theta_T.
    """

    artifact: Artifact
    learner: Learner
    params: Params

    @property
    def encoder(self) -> Encoder:
        """Of a learner with one: embeddings, sizes, tokenizer; TypeError for a network."""
        if not isinstance(self.learner, Encoder):
            raise TypeError(f"{self.artifact.manifest['model']['name']} is no pretrained encoder")
        return self.learner

    @overload
    def predict(  # type: ignore[overload-overlap]  # a text is a sequence of texts to Python
        self, texts: str, pairs: str | None = None
    ) -> str: ...

    @overload
    def predict(self, texts: Samples, pairs: Sequence[str] | None = None) -> list[str]: ...

    def predict(
        self, texts: str | Samples, pairs: str | Sequence[str] | None = None
    ) -> str | list[str]:
        """The class name of a text, or those of several texts or images.

        Args:
            texts: one text or a list of them; for a network a uint8 tensor of images, n x
                channels x height x width.
            pairs: the second texts where the data set has pairs; one, or as many as ``texts``.

        Raises:
            TypeError: for what is no text.
            ValueError: where there are not as many pairs as texts.
        """
        names, logits = self.artifact.manifest["dataset"]["class_names"], self.logits(texts, pairs)
        found = [names[index] for index in logits.argmax(-1).tolist()]
        return found[0] if isinstance(texts, str) else found

    def logits(
        self, texts: str | Samples, pairs: str | Sequence[str] | None = None
    ) -> Float[Tensor, "n c"]:
        """Logits of one or several texts or images, a row each; arguments as of `predict`."""
        texts = [texts] if isinstance(texts, str) else texts
        if len(texts) == 0:
            return torch.empty(0, len(self.artifact.manifest["dataset"]["class_names"]))
        split = self._split(texts, pairs, [0] * len(texts))
        return logits_of(self.learner, self.params, split)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write a folder that other tools load, with a tokenizer that cuts texts as in training.

        Where `to_transformers` has a class, it is one for
        ``pipeline("text-classification", model=folder)``, the same as
        ``to_transformers().save_pretrained(folder)``; elsewhere one for
        ``SentenceTransformer(folder)``, whose ``encode`` gives the logits.
        """
        if has_classifier(self.encoder):
            self.to_transformers().save_pretrained(folder)
            return
        dataset = self.artifact.manifest["dataset"]
        save_sentence_transformer(
            Path(folder), self.encoder, self.params, dataset["class_names"], dataset["max_length"]
        )

    def evaluate(
        self,
        texts: Samples,
        labels: Sequence[int],
        pairs: Sequence[str] | None = None,
        precision: Precision = "fp32",
    ) -> Measures:
        """Accuracy, loss and macro F1 on texts or images, whose labels are class indices."""
        split = self._split(texts, pairs, labels)
        return measure(self.learner, self.params, split, precision)

    def to_transformers(self) -> Any:
        """The same classifier as one of transformers, such as ``BertForSequenceClassification``.

        What its ``save_pretrained`` writes has the tokenizer too.

        Raises:
            StillhouseError: ``invalid`` where its head is given the mean over the tokens, or the
                library's classifier of its architecture has another head.
        """
        dataset = self.artifact.manifest["dataset"]
        return to_transformers(
            self.encoder, self.params, dataset["class_names"], dataset["max_length"]
        )

    def _split(
        self,
        texts: Samples,
        pairs: str | Sequence[str] | None,
        labels: Sequence[int],
    ) -> RealSplit:
        if self.artifact.image is not None:
            return given_pixels(texts, list(labels), self.artifact.image)
        assert isinstance(self.learner, Encoder | WordNet), "texts are for these"
        pairs = [pairs] if isinstance(pairs, str) else pairs
        first = given_texts([*texts], "texts", len(labels))
        second = [] if pairs is None else given_texts(pairs, "pairs", len(labels))
        split = Split([*first], None if pairs is None else [*second], list(labels))
        max_length = self.artifact.manifest["dataset"]["max_length"]
        return tokenise(split, self.learner.tokenizer, max_length)


def load_artifact(path: str | Path) -> Artifact:
    """Load distilled data from its folder; nothing is unpickled.

    Raises:
        StillhouseError: ``not_found`` when there is no artifact, ``invalid`` when it is damaged.
    """
    folder = Path(path)
    if not (folder / MANIFEST_NAME).is_file():
        raise StillhouseError(
            "not_found", f"no artifact at {folder}: it has no {MANIFEST_NAME}", field="artifact"
        )
    try:
        manifest = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
        content = (folder / TENSORS_NAME).read_bytes()
        if hashlib.sha256(content).hexdigest() != manifest["sha256"][TENSORS_NAME]:
            raise ValueError(f"{TENSORS_NAME} is not the file that the manifest names")
        tensors, facts = read_tensors(folder / TENSORS_NAME)
        if facts.get("format") not in FORMATS:
            known = ", ".join(FORMATS)
            raise ValueError(f"its format is {facts.get('format')}, this version reads {known}")
        data = distilled_data(tensors, manifest)
    except (ValueError, KeyError, OSError, *_WRONG_FORM) as error:
        raise StillhouseError(
            "invalid", f"the artifact at {folder} is damaged: {error}", field="artifact"
        ) from error
    return Artifact(data, manifest)
