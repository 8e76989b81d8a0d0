"""The encoders that a benchmark makes are folders that a learner opens."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from bench import encoders
from stillhouse_worker.models.opened import load_encoder


def test_a_cut_encoder_has_the_first_layers(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "cut"
    assert encoders.main(["--model", str(tiny_model), "--cut", "1", "--out", str(out)]) == 0
    cut, whole = load_encoder(str(out)), load_encoder(str(tiny_model))
    assert cut.config.num_layers == 1
    assert cut.blocks.keys() == {name for name in whole.blocks if name.startswith("blocks.0.")}
    for name, tensor in cut.blocks.items():
        torch.testing.assert_close(tensor, whole.blocks[name])
    assert len(cut.tokenizer) == len(whole.tokenizer)


def test_pretraining_lowers_the_loss_on_masked_words(
    tiny_model: Path, tiny_data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def perplexity(steps: int) -> float:
        out = tmp_path / str(steps)
        sizes = ["--layers", "1", "--heads", "2", "--width", "16", "--batch-size", "8"]
        source = ["--model", str(tiny_model), "--data-dir", str(tiny_data_dir)]
        flags = ["--masked-words", "topics", "--steps", str(steps), "--out", str(out)]
        assert encoders.main([*source, *sizes, *flags, "--lr", "0.01"]) == 0
        assert load_encoder(str(out)).config.width == 16
        assert AutoModel.from_pretrained(out).config.num_hidden_layers == 1
        told = capsys.readouterr().err
        return float(told.split("perplexity ")[-1].split(",")[0])

    assert perplexity(60) < 0.7 * perplexity(1)


@pytest.mark.parametrize("num_layers", ["0", "3"])
def test_layers_that_are_not_there_are_refused(
    num_layers: str, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model", str(tiny_model), "--cut", num_layers, "--out", str(tmp_path / "out")]
    assert encoders.main(flags) == 2
    assert f"must be between 1 and 2, got {num_layers}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
