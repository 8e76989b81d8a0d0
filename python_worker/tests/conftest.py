"""A tiny encoder in the hub's format and a tiny data set, made by the tests themselves."""

import json
import os
import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tasks_of import task_of

from stillhouse_worker.context.reporting import DistillOutcome, Silent
from stillhouse_worker.context.settings import (
    DataSettings,
    DistilledSettings,
    FullSettings,
    ModelSettings,
    Settings,
)
from stillhouse_worker.datasets import Reading, load_dataset
from stillhouse_worker.distillation.outer import OuterConfig
from stillhouse_worker.learners import Encoder
from stillhouse_worker.models.catalog import model_fingerprint
from stillhouse_worker.models.opened import load_encoder
from stillhouse_worker.tasks.distill import distill

TOPICS = {
    "sport": "goal match team coach season league score player".split(),
    "money": "bank shares profit market oil price trade stock".split(),
}
WIDTH, NUM_LAYERS, NUM_HEADS = 16, 2, 2


def save_tiny_model(folder: Path, kind: str = "bert") -> Path:
    """A BERT or DistilBERT with random weights, and a tokenizer for the tiny texts."""
    from transformers import (
        BertConfig,
        BertModel,
        BertTokenizerFast,
        DistilBertConfig,
        DistilBertModel,
    )

    folder.mkdir(parents=True)
    words = sorted({word for topic in TOPICS.values() for word in topic})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    if kind == "bert":
        config = BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=WIDTH,
            num_hidden_layers=NUM_LAYERS,
            num_attention_heads=NUM_HEADS,
            intermediate_size=32,
            max_position_embeddings=32,
            initializer_range=0.3,
        )
        BertModel(config).save_pretrained(folder)
    else:
        distil = DistilBertConfig(
            vocab_size=len(vocabulary),
            dim=WIDTH,
            n_layers=NUM_LAYERS,
            n_heads=NUM_HEADS,
            hidden_dim=32,
            max_position_embeddings=32,
            initializer_range=0.3,
        )
        DistilBertModel(distil).save_pretrained(folder)
    return folder


def save_tiny_dataset(data_dir: Path, name: str = "topics", rows: int = 60) -> Path:
    """Two topics with words of their own; half as many test rows as training rows."""
    folder = data_dir / name
    folder.mkdir(parents=True)
    facts = {"labels": list(TOPICS), "text_columns": ["text"], "label_column": "label"}
    (folder / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")
    draws = random.Random(0)
    for split, count in (("train", rows), ("test", rows // 2)):
        lines = []
        for index in range(count):
            words = list(TOPICS.values())[index % 2]
            text = " ".join(draws.choices(words, k=draws.randint(3, 9)))
            lines.append(json.dumps({"text": text, "label": index % 2}))
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests of a GPU run where there is one."""
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture(scope="session")
def tiny_distilbert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny-distilbert", "distilbert")


@pytest.fixture(scope="session")
def tiny_encoder(tiny_model: Path) -> Encoder:
    return load_encoder(str(tiny_model))


@pytest.fixture(scope="session")
def tiny_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("data")
    save_tiny_dataset(data_dir)
    return data_dir


@pytest.fixture
def needs_program() -> Callable[[str], None]:
    """Skips a test without a program that the Debian package of the same name contains."""

    def check(program: str) -> None:
        if shutil.which(program) is None:
            end = pytest.fail if os.environ.get("CI") else pytest.skip
            end(f"needs {program}; on Debian: apt-get install {program}")

    return check


@pytest.fixture(scope="session")
def settings(tiny_model: Path, tiny_data_dir: Path) -> Settings:
    """Twelve outer steps on the tiny set, in fp32."""
    dataset = load_dataset(
        "topics",
        source="local",
        data_dir=str(tiny_data_dir),
        splits=(),
        reading=Reading(0.2, 0.2, "refuse"),
    )
    return Settings(
        data=DataSettings(
            "topics",
            "local",
            str(tiny_data_dir),
            dataset.fingerprint,
            16,
            Reading(0.2, 0.2, "refuse"),
        ),
        model=ModelSettings(
            str(tiny_model), "local", model_fingerprint(tiny_model).whole, "default", False
        ),
        distilled=DistilledSettings(
            per_class=1,
            seq_len=6,
            x_init="noise",
            class_labels="unrestricted",
            attention_labels="cls",
            attention_lambda=1.0,
            attention_reduction="keys",
            artifact_dtype="fp32",
            num_steps=1,
            lr=0.5,
            lr_decay=1.0,
            learn_lr="none",
            inner_precision="fp32",
        ),
        outer=OuterConfig(
            num_steps=12,
            lr=0.02,
            batch_size=8,
            clip=1.0,
            warmup_fraction=0.1,
            accumulate_loss=False,
            method="stepwise",
            trajectory_bytes=2**30,
            host_bytes=0,
            activation_bytes=2**30,
            compiled=False,
            inits_per_step=1,
        ),
        full=FullSettings(epochs=2, batch_size=8, lr=1e-3, dropout=0.1),
        validations=3,
        validation_inits=1,
        select=True,
        device="cpu",
        num_devices=1,
        precision="fp32",
        seed=1,
    )


@pytest.fixture(scope="session")
def distilled(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> DistillOutcome:
    """The outcome of distilling with ``settings``; a test that changes the artifact copies it first."""
    return distill(task_of(settings, Silent(), tmp_path_factory.mktemp("distilled")))


class RecordingReporter:
    """Records everything; asks for a stop after a number of progress calls."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after = stop_after
        self.stages: list[tuple[str, int, int]] = []
        self.values: dict[str, float] = {}
        self.metrics: list[tuple[str, int, float]] = []
        self.lines: list[tuple[str, str]] = []

    def progress(self, stage: str, done: int, total: int, values: Mapping[str, float]) -> None:
        self.stages.append((stage, done, total))
        self.values = dict(values)

    def metric(self, name: str, step: int, value: float) -> None:
        self.metrics.append((name, step, value))

    def log(self, level: str, message: str) -> None:
        self.lines.append((level, message))

    def checkpoint(self) -> None:
        pass

    def stop_requested(self) -> bool:
        return self.stop_after is not None and len(self.stages) > self.stop_after


@pytest.fixture
def reporter() -> RecordingReporter:
    return RecordingReporter()


@pytest.fixture
def make_reporter() -> Callable[..., Any]:
    return RecordingReporter
