"""The answers to the control plane: always JSON, never an exception, with the facts it needs."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import image_sets
import pytest

from stillhouse_worker.datasets import catalog
from stillhouse_worker.datasets.catalog import find_dataset
from stillhouse_worker.devices import facts as devices
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.inspection import questions as inspection
from stillhouse_worker.inspection import system_checks


def describe(**request: Any) -> dict[str, Any]:
    bad_rows = {"hub": "skip", "local": "refuse", "packaged": "refuse"}
    resolved = {"validation_fraction": 0.1, "test_fraction": 0.2, "bad_rows": bad_rows}
    return json.loads(inspection.describe(json.dumps({**resolved, **request})))


def system(**request: Any) -> dict[str, dict[str, Any]]:
    answer = json.loads(inspection.system(json.dumps(request)))
    return {check["name"]: check for check in answer["ok"]["checks"]}


@pytest.fixture
def data_dir(tmp_path: Path) -> str:
    """A data folder with one set, named like the default one, and one folder that is no set."""
    folder = tmp_path / "data" / "ag_news"
    folder.mkdir(parents=True)
    description = {"labels": ["a", "b"], "text_columns": ["text"], "label_column": "label"}
    (folder / "dataset.json").write_text(json.dumps(description))
    rows = [{"text": f"text {row}", "label": row % 2} for row in range(20)]
    for split in ("train", "test"):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "data" / "photos").mkdir()
    return str(tmp_path / "data")


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Acts like a machine that cannot reach the hub and has nothing cached."""
    monkeypatch.setattr(catalog, "hub_offline_reason", lambda: "no route")
    monkeypatch.setattr(catalog, "hub_is_reachable", lambda: False)
    monkeypatch.setattr(catalog, "is_cached", lambda _name: False)


def test_describe_needs_no_torch_where_there_is_no_gpu(data_dir: str, tiny_model: Path) -> None:
    request = {"dataset": "ag_news", "data_dir": data_dir, "model": str(tiny_model)}
    given = {"validation_fraction": 0.1, "test_fraction": 0.2, "bad_rows": {"local": "refuse"}}
    program = f"""
import sys
sys.modules["torch"] = None
from stillhouse_worker.devices import facts
facts._GPU_FILES = ()
from stillhouse_worker.inspection import describe
print(describe({json.dumps(request | given)!r}))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    answer = json.loads(ran.stdout)["ok"]
    assert (answer["model"]["width"], answer["device"]["device"]) == (16, "cpu")


def test_a_set_of_images_is_refused_for_a_model_of_texts(tmp_path: Path, tiny_model: Path) -> None:
    image_sets.write_folder(tmp_path / "pets", image_sets.image_paths())
    failure = describe(dataset="pets", data_dir=str(tmp_path), model=str(tiny_model))["failure"]
    assert (failure["kind"], failure["field"]) == ("invalid", "model.name")
    assert "reads texts, and the data set pets holds grey 8 x 8 images" in failure["message"]


def test_images_have_a_network_where_no_model_is_named(tmp_path: Path) -> None:
    image_sets.write_folder(tmp_path / "pets", image_sets.image_paths())
    answer = describe(dataset="pets", data_dir=str(tmp_path))
    assert "8 x 8 pixels are too small for lenet" in answer["failure"]["message"]
    found = describe(dataset="pets", data_dir=str(tmp_path), model="mlp")["ok"]
    assert found["dataset"]["image"] == {"channels": 1, "height": 8, "width": 8}
    assert found["model"]["width"] == 64
    assert found["model"]["parameter_count"] == 64 * 128 + 128 + 128 * 128 + 128 + 2 * 128 + 2


def test_a_network_is_refused_for_texts(data_dir: str) -> None:
    failure = describe(dataset="ag_news", data_dir=data_dir, model="lenet")["failure"]
    assert "lenet reads images, and the data set ag_news holds texts" in failure["message"]


def test_describe_returns_sizes_names_and_fingerprints(data_dir: str) -> None:
    started = time.process_time()
    answer = describe(
        dataset="ag_news", model="minilm", data_dir=data_dir, device="cpu", validation_fraction=0.2
    )["ok"]
    assert time.process_time() - started < 5, "it reads what it tells, not the weights"
    fingerprint = answer["dataset"].pop("fingerprint")
    assert len(fingerprint) == 64
    assert answer["dataset"] == {
        "name": "ag_news",
        "source": "local",
        "data_dir": data_dir,
        "substitute_for": "",
        "class_names": ["a", "b"],
        "text_columns": ["text"],
        "image": None,
        "label_column": "label",
        "files": ["train.jsonl", "test.jsonl"],
        "skipped": [],
        "test_from": "test",
        "test_rows_in_train": 20,
        "train_rows": 16,
        "validation_rows": 4,
        "test_rows": 20,
    }
    assert answer["model"]["parameter_count"] == 22_565_376
    assert answer["device"]["device"] == "cpu"
    (notice,) = answer["notices"]
    assert notice.startswith("WARNING: 20 of 20 test rows are also in train")


def test_an_unnamed_set_is_the_default_one_of_the_data_folder(data_dir: str) -> None:
    answer = describe(model="minilm", data_dir=data_dir, dataset=None)["ok"]
    assert (answer["dataset"]["name"], answer["dataset"]["source"]) == ("ag_news", "local")


@pytest.mark.usefixtures("no_hub")
def test_an_unnamed_set_without_hub_is_the_packaged_one_and_says_so() -> None:
    answer = describe(model="minilm")["ok"]
    assert answer["dataset"]["name"] == "bbc_news"
    assert answer["dataset"]["substitute_for"] == "ag_news"
    assert answer["dataset"]["data_dir"] is None
    (notice,) = answer["notices"]
    assert "ag_news" in notice
    assert "no route" in notice
    assert "bbc_news" in notice


@pytest.mark.usefixtures("no_hub")
def test_a_named_set_that_is_not_found_says_where_it_was_looked_for(data_dir: str) -> None:
    message = describe(dataset="ag_new", data_dir=data_dir)["failure"]["message"]
    assert f"the data folder {data_dir} holds ag_news" in message
    assert "the packaged sets are bbc_news" in message
    assert "the hub cannot be reached (no route)" in message
    assert "did you mean ag_news?" in message
    photos = describe(dataset="photos", data_dir=data_dir)["failure"]["message"]
    assert "the folder 'photos' has no dataset.json, no train file and no images" in photos
    nowhere = describe(dataset="sst2")["failure"]
    assert nowhere["message"].startswith("data set 'sst2' was not found: no data folder is given")
    assert (nowhere["kind"], nowhere["field"]) == ("not_found", "dataset.name")


@pytest.mark.usefixtures("no_hub")
def test_a_packaged_set_may_be_named_and_a_folder_of_that_name_comes_first(data_dir: str) -> None:
    assert find_dataset("bbc_news", data_dir).source == "packaged"
    (Path(data_dir) / "ag_news").rename(Path(data_dir) / "bbc_news")
    assert find_dataset("bbc_news", data_dir).source == "local"


def test_a_missing_data_folder_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "data")
    failure = describe(data_dir=missing)["failure"]
    assert (failure["kind"], failure["field"]) == ("not_found", "dataset.data_dir")
    assert f"'{missing}'" in failure["message"]


@pytest.mark.parametrize(
    ("request_json", "said"),
    [
        ("", "the request is not JSON"),
        ("[]", "must be a JSON object, got []"),
        ('{"datasets": "x"}', "unknown key 'datasets'; allowed are dataset, data_dir"),
        ('{"dataset": 5}', "dataset must be a text or null, got 5"),
        ('{"validation_fraction": "x"}', "validation_fraction must be a number or null, got 'x'"),
        (
            '{"validation_fraction": 1.5, "test_fraction": 0.2, "dataset": "bbc_news", '
            '"bad_rows": {"packaged": "refuse"}, "model": "minilm"}',
            "dataset.validation_fraction must be > 0 and < 1, got 1.5",
        ),
        (
            '{"validation_fraction": 0.1, "dataset": "bbc_news", "model": "minilm"}',
            "test_fraction must be given by the control plane, got nothing",
        ),
        (
            '{"validation_fraction": 0.1, "test_fraction": 0.2, "dataset": "bbc_news", '
            '"bad_rows": {"hub": "skip"}, "model": "minilm"}',
            "packaged must be given by the control plane, got nothing",
        ),
        ('{"device": "gpu"}', "compute.device must be cpu, cuda or cuda:N, got 'gpu'"),
        ('{"device": "cuda:x"}', "compute.device must be cpu, cuda or cuda:N, got 'cuda:x'"),
        ('{"device": "cuda:99"}', "compute.device 'cuda:99' is not on this machine; it has cpu"),
        ('{"dataset": "bbc_news", "model": "./none"}', "model folder 'none' does not exist"),
    ],
)
def test_a_bad_request_is_a_failure_and_no_exception(
    request_json: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in json.loads(inspection.describe(request_json))["failure"]["message"]


def test_an_unexpected_error_is_an_internal_failure_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr(inspection, "find_device", broken)
    assert describe() == {
        "failure": {"kind": "internal", "message": "RuntimeError: first", "field": ""}
    }


def test_system_checks_every_part(data_dir: str, tmp_path: Path) -> None:
    checks = system(data_dir=data_dir, home=str(tmp_path / "not" / "yet"))
    assert list(checks) == [
        "Python",
        "PyTorch",
        "Devices",
        "Libraries",
        "Packaged model",
        "Packaged data set",
        "Word vectors",
        "Hugging Face hub",
        "Default model",
        "Default data set",
        "Data folder",
        "Memory",
        "Disk",
    ]
    for name in ("Python", "PyTorch", "Devices", "Packaged model", "Packaged data set"):
        assert checks[name]["status"] == "ok", checks[name]
        assert checks[name]["remedy"] == ""
    assert checks["Data folder"]["detail"] == f"{data_dir}: ag_news"
    assert checks["Default data set"]["detail"] == "ag_news is in the data folder"


def test_every_problem_has_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("# pinned\ntorch==0.1\nno-such-package==1.0 ; python_version > '3'\n")
    monkeypatch.setattr(system_checks, "_REQUIREMENTS_LOCK", lock)
    monkeypatch.setattr(system_checks, "hub_offline_reason", lambda: "no route")
    monkeypatch.setattr(system_checks, "model_is_cached", lambda _name: False)
    monkeypatch.setattr(system_checks, "packaged_model_folder", _broken_package)
    checks = system(data_dir=str(tmp_path / "none"))
    assert checks["Libraries"]["status"] == "warning"
    assert "torch 2." in checks["Libraries"]["detail"]
    assert "no-such-package missing (locked 1.0)" in checks["Libraries"]["detail"]
    assert checks["Hugging Face hub"]["status"] == "warning"
    assert "minilm is used instead" in checks["Default model"]["detail"]
    assert checks["Data folder"]["status"] == "error"
    assert checks["Packaged model"]["detail"] == "it is gone"
    for name in ("Libraries", "Hugging Face hub", "Default model", "Data folder", "Packaged model"):
        assert checks[name]["remedy"]


def _broken_package() -> Path:
    raise StillhouseError("environment", "it is gone")


def test_a_check_that_raises_is_reported_as_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_checks.shutil, "disk_usage", lambda _folder: 1 / 0)
    assert system()["Disk"]["status"] == "error"
    assert "ZeroDivisionError" in system()["Disk"]["detail"]


def test_a_bad_request_for_the_system_is_a_failure() -> None:
    assert "failure" in json.loads(inspection.system("{"))
    assert "unknown key 'x'" in json.loads(inspection.system('{"x": 1}'))["failure"]["message"]


@pytest.mark.parametrize(
    ("flags", "native"),
    [("fpu avx512f avx512_bf16", True), ("fpu amx_bf16", True), ("fpu avx512f avx2", False)],
)
def test_bf16_is_native_only_where_the_cpu_has_it(
    monkeypatch: pytest.MonkeyPatch, flags: str, native: bool
) -> None:
    monkeypatch.setattr(devices, "_cpu_info", lambda *_keys: flags)
    assert devices.find_device("cpu").bf16 is native


def test_the_cpu_can_be_shared_by_as_many_processes_as_it_has_threads() -> None:
    assert devices.find_device("cpu").num_available == devices.num_cpu_threads()


def test_a_missing_compiler_is_named_with_the_package_that_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices.shutil, "which", lambda name: None)
    with pytest.raises(StillhouseError, match=r"apt-get install g\+\+") as caught:
        devices.require_compiler()
    assert (caught.value.kind, caught.value.field) == ("environment", "outer.compile")


@pytest.mark.cuda
def test_cuda_devices_are_named() -> None:
    found = devices.find_device("cuda")
    assert found == devices.find_device(None)
    assert (found.device, found.cuda, found.name != "") == ("cuda:0", True, True)
