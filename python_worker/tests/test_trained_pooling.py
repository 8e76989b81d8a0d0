"""The pooling with which an encoder was trained, as its folder says."""

import json
from pathlib import Path

import pytest

from stillhouse_worker.models.packaged import packaged_model_folder
from stillhouse_worker.models.trained_pooling import trained_pooling

_TYPE = "sentence_transformers.models.Pooling"


def _folder(path: Path, config: object, kind: str = _TYPE) -> Path:
    modules = [
        {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "path": "1_Pooling", "type": kind},
    ]
    (path / "modules.json").write_text(json.dumps(modules))
    (path / "1_Pooling").mkdir()
    (path / "1_Pooling" / "config.json").write_text(json.dumps(config))
    return path


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, "first"),
        ({"pooling_mode": "mean"}, "mean"),
        ({"pooling_mode": "cls"}, "first"),
        ({"pooling_mode": "max"}, ""),
        (["mean"], ""),
    ],
)
def test_a_sentence_encoder_says_how_it_pools(tmp_path, config, pooling) -> None:
    assert trained_pooling(_folder(tmp_path, config)) == pooling


def test_the_packaged_encoder_was_trained_for_the_mean() -> None:
    assert trained_pooling(packaged_model_folder()) == "mean"


def test_a_folder_without_readable_modules_has_no_pooling(tmp_path: Path) -> None:
    assert trained_pooling(tmp_path) == ""
    (tmp_path / "modules.json").write_text('{"no": "list"}')
    assert trained_pooling(tmp_path) == ""
    (tmp_path / "modules.json").write_text("[1, {}]")
    assert trained_pooling(tmp_path) == ""
