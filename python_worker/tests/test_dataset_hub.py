"""Sets of the hub: which columns and splits are used, and a download from a hub on loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import pytest

from stillhouse_worker.datasets.hub import HubEntry, hub_entry, source_of_tables
from stillhouse_worker.datasets.hub_cache import cached_folder
from stillhouse_worker.datasets.loading import Reading, read_dataset
from stillhouse_worker.datasets.rows import SPLIT_NAMES, BadRows, Dataset
from stillhouse_worker.errors import StillhouseError

NAMES = ["no", "yes"]


def table(labels: list[Any], names: list[str] | None = None, **columns: str) -> datasets.Dataset:
    """Rows with these labels; each text column holds its prefix and the row's number."""
    values: dict[str, Any] = {
        column: [f"{prefix} {row}" for row in range(len(labels))]
        for column, prefix in columns.items()
    }
    made = datasets.Dataset.from_dict({**values, "label": labels, "idx": list(range(len(labels)))})
    return made.cast_column("label", datasets.ClassLabel(names=names)) if names else made


def read(
    tables: dict[str, datasets.Dataset], name: str = "me/set", bad_rows: BadRows = "skip"
) -> Dataset:
    source = source_of_tables(name, tables, hub_entry(name))
    return read_dataset(name, "hub", source, SPLIT_NAMES, Reading(0.1, 0.2, bad_rows))


def failure(tables: dict[str, datasets.Dataset]) -> str:
    with pytest.raises(StillhouseError) as caught:
        read(tables, bad_rows="refuse")
    assert caught.value.field == "dataset.name"
    return caught.value.message


def glue(**columns: str) -> dict[str, datasets.Dataset]:
    """Splits as in GLUE, whose test labels are hidden."""
    return {
        "train": table([0, 1] * 50, NAMES, **columns),
        "validation": table([1, 0] * 10, NAMES, **columns),
        "test": table([-1] * 30, NAMES, **columns),
    }


def test_where_test_labels_are_hidden_validation_is_the_test_split() -> None:
    dataset = read(glue(sentence="a"), "sst2")
    assert dataset.num_rows == {"train": 90, "validation": 10, "test": 20}
    assert dataset.splits["test"].labels == [1, 0] * 10
    assert dataset.class_names == ("no", "yes")
    assert dataset.text_columns == ("sentence",)


def test_matched_splits_are_used_and_mismatched_ones_are_not() -> None:
    tables = {
        "train": table([0, 1] * 50, NAMES, sentence="a"),
        "validation_matched": table([0, 1] * 10, NAMES, sentence="a"),
        "validation_mismatched": table([0, 1] * 7, NAMES, sentence="a"),
        "test_matched": table([-1] * 4, NAMES, sentence="a"),
        "test_mismatched": table([-1] * 5, NAMES, sentence="a"),
    }
    assert read(tables).num_rows == {"train": 90, "validation": 10, "test": 20}


def test_known_pairs_are_read_in_their_order() -> None:
    dataset = read(glue(sentence="s", question="q"), "qnli")
    second = dataset.splits["test"].second
    assert second is not None
    assert (dataset.splits["test"].first[3], second[3]) == ("q 3", "s 3")


def test_a_test_split_with_labels_is_used_and_validation_kept() -> None:
    tables = {**glue(text="a"), "test": table([0, 1, 1], NAMES, text="a")}
    assert read(tables).num_rows == {"train": 100, "validation": 20, "test": 3}


def test_train_alone_gives_test_and_validation() -> None:
    tables = {"train": table([0, 1] * 50, NAMES, text="a")}
    assert read(tables).num_rows == {"train": 72, "validation": 8, "test": 20}


@pytest.mark.parametrize(
    ("labels", "class_names"),
    [([3, 5, 5, 3] * 5, ("3", "5")), (["pos", "neg"] * 10, ("neg", "pos"))],
)
def test_labels_without_names_are_numbered_in_order(
    labels: list[Any], class_names: tuple[str, ...]
) -> None:
    dataset = read({"train": table(labels, content="a"), "test": table(labels, content="a")})
    assert dataset.class_names == class_names
    assert [class_names[label] for label in dataset.splits["test"].labels] == [*map(str, labels)]


def test_columns_that_cannot_be_recognised_are_listed() -> None:
    message = failure({"train": table([0, 1], NAMES, foo="a", bar="b")})
    assert "no text column that can be recognised: it has foo, bar, label, idx" in message
    unlabelled = {"train": table([0, 1], text="a").rename_column("label", "stars")}
    assert "no label column that can be recognised: it has text, stars, idx" in failure(unlabelled)


def test_wrong_rows_are_named() -> None:
    bad_label = {"train": table([0, 1, -1], NAMES, text="a")}
    assert "'me/set' (train) row 3: column 'label' holds -1, which is not a class" in failure(
        bad_label
    )
    empty = datasets.Dataset.from_dict({"text": ["a", " "], "label": [0, 1]})
    assert "row 2: column 'text' must hold a text that is not empty, got" in failure(
        {"train": empty}
    )
    assert "column 'label' must hold two or more classes, got 1" in failure(
        {"train": table([1, 1], text="a")}
    )
    assert "has no split train, only test" in failure({"test": table([1], text="a")})


def test_a_repository_may_name_its_configuration() -> None:
    assert hub_entry("nyu-mll/glue:rte") == HubEntry("nyu-mll/glue", "rte")
    assert hub_entry("ag_news").repo == "fancyzhx/ag_news"


@pytest.mark.parametrize("name", ["", "*", "../x", "a/b/c", "a b"])
def test_a_name_that_no_repository_can_have_is_not_cached(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    assert cached_folder(name, None) is None


# The tests below ask a hub on loopback, all in one process, and then another process that is
# offline: the hub's libraries read their settings at import, which takes seconds.

Question = tuple[str, str | None, str | None]
Answers = dict[Question, dict[str, Any]]

ASK = """
import json, sys
from stillhouse_worker import inspection
from stillhouse_worker.errors import StillhouseError
READING = {
    "validation_fraction": 0.1,
    "test_fraction": 0.2,
    "bad_rows": {"hub": "skip", "packaged": "refuse"},
}
for what, dataset, model in json.loads(sys.argv[1]):
    try:
        if what == "fetch":
            print(json.dumps({"fetched": inspection.fetch(dataset, model)}))
        else:
            print(inspection.describe(json.dumps({"dataset": dataset, "model": model, **READING})))
    except StillhouseError as error:
        print(json.dumps({"raised": [error.kind, error.message]}))
"""


class Hub(NamedTuple):
    """A hub with some sets and a tiny model, and a folder for its cache."""

    endpoint: str
    cache: Path

    def ask(self, questions: list[Question], *, offline: bool = False) -> Answers:
        environment = {**os.environ, "HF_HOME": str(self.cache), "HF_ENDPOINT": self.endpoint}
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_CACHE", "HF_HUB_CACHE"):
            environment.pop(name, None)
        if offline:
            environment["HF_HUB_OFFLINE"] = "1"
        command = [sys.executable, "-c", ASK, json.dumps(questions)]
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        return dict(zip(questions, answers, strict=True))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    root = tmp_path_factory.mktemp("hub")
    repositories = root / "repositories"
    _put_datasets(repositories / "datasets")
    _put_model(repositories / "models" / "me" / "tiny")
    server = Path(__file__).with_name("hub_server.py")
    command = [sys.executable, str(server), str(repositories)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield Hub(f"http://127.0.0.1:{port}", root / "cache")
        process.terminate()


@pytest.fixture(scope="module")
def online(hub: Hub) -> Answers:
    """The answers while the hub can be reached; the cache is empty at first."""
    return hub.ask(
        [
            ("describe", "sst2", "me/tiny"),
            ("fetch", "sst2", "me/tiny"),
            ("fetch", "mrpc", None),
            ("fetch", "me/MixedCase", None),
            ("describe", "me/MixedCase", "minilm"),
            ("fetch", "nyu-mll/glue", None),
            ("describe", "nyu-mll/glue", "minilm"),
            ("describe", "me/nothing", "minilm"),
            ("describe", "bbc_news", "me/nothing"),
            ("fetch", None, "me/nothing"),
            ("describe", None, "minilm"),
        ]
    )


@pytest.fixture(scope="module")
def offline(hub: Hub, online: Answers) -> Answers:
    """The answers afterwards, without the hub."""
    return hub.ask([("describe", "sst2", "me/tiny"), ("describe", "qnli", "minilm")], offline=True)


def _put_datasets(folder: Path) -> None:
    for split, made in glue(sentence="a").items():
        _put(made, folder / "nyu-mll" / "glue" / "sst2" / f"{split}.parquet")
    for split, made in glue(sentence1="a", sentence2="b").items():
        _put(made, folder / "nyu-mll" / "glue" / "mrpc" / f"{split}.parquet")
    card = "---\nconfigs:\n- config_name: sst2\n  data_dir: sst2\n- config_name: mrpc\n"
    (folder / "nyu-mll" / "glue" / "README.md").write_text(f"{card}  data_dir: mrpc\n---\n")
    _put(table([0, 1] * 20, NAMES, text="a"), folder / "me" / "MixedCase" / "train.parquet")


def _put(made: datasets.Dataset, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made.to_parquet(str(path))


def _put_model(folder: Path) -> None:
    from transformers import BertConfig, BertModel, BertTokenizerFast

    from stillhouse_worker.models.packaged import packaged_model_folder

    config = BertConfig(
        vocab_size=30522, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=32,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast.from_pretrained(packaged_model_folder()).save_pretrained(folder)


def test_missing_downloads_are_named_and_then_fetched(online: Answers) -> None:
    assert online["describe", "sst2", "me/tiny"]["ok"] == {
        "downloads": ["sst2", "me/tiny"],
        "fetch": {"dataset": "sst2", "model": "me/tiny", "embeddings": None},
    }
    assert online["fetch", "sst2", "me/tiny"] == {"fetched": None}


def test_what_was_fetched_needs_no_hub(offline: Answers) -> None:
    answer = offline["describe", "sst2", "me/tiny"]["ok"]
    dataset, model = answer["dataset"], answer["model"]
    assert (dataset["source"], dataset["train_rows"], dataset["test_rows"]) == ("hub", 90, 20)
    assert (model["source"], model["width"], model["num_layers"]) == ("hub", 8, 1)
    assert "its validation split is the test split" in answer["notices"][0]


def test_what_was_not_fetched_is_not_found_offline(offline: Answers) -> None:
    failure = offline["describe", "qnli", "minilm"]["failure"]
    assert (failure["kind"], failure["field"]) == ("not_found", "dataset.name")
    assert "the hub cannot be reached (HF_HUB_OFFLINE is set)" in failure["message"]


def test_a_name_with_capitals_is_found_again_in_the_cache(online: Answers) -> None:
    assert online["fetch", "me/MixedCase", None] == {"fetched": None}
    assert online["describe", "me/MixedCase", "minilm"]["ok"]["dataset"]["test_rows"] == 8


def test_a_set_of_several_configurations_must_name_one(online: Answers) -> None:
    kind, message = online["fetch", "nyu-mll/glue", None]["raised"]
    assert kind == "invalid"
    assert "Please pick one among the available configs" in message
    assert "'sst2'" in message
    failure = online["describe", "nyu-mll/glue", "minilm"]["failure"]
    assert "several configurations (mrpc, sst2); name one of them" in failure["message"]


def test_what_the_hub_does_not_have_is_not_found(online: Answers, hub: Hub) -> None:
    data = online["describe", "me/nothing", "minilm"]["failure"]
    assert f"the hub {hub.endpoint} has none of that name" in data["message"]
    model = online["describe", "bbc_news", "me/nothing"]["failure"]
    assert (model["kind"], model["field"]) == ("not_found", "model.name")
    assert online["fetch", None, "me/nothing"]["raised"][0] == "environment"


def test_a_default_is_replaced_only_when_the_hub_is_out_of_reach(online: Answers) -> None:
    assert online["describe", None, "minilm"]["failure"]["kind"] == "not_found"
