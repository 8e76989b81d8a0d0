"""The table of parts, in the order in which they run. Imports no PyTorch."""

import importlib
from typing import NamedTuple, cast

from .part import Options, Rows


class Part(NamedTuple):
    """A part of the benchmark.

    Attributes:
        module: of `bench._gpu`, which has a function ``rows``.
        weight: its share of the time.
        about: in a few words.
        needs: the options without which it is skipped.
    """

    module: str
    weight: float
    about: str
    needs: tuple[str, ...] = ()

    def rows(self) -> Rows:
        """The function; importing it imports PyTorch."""
        return cast(Rows, importlib.import_module(f"{__package__}.{self.module}").rows)

    def why_skipped(self, options: Options) -> str:
        """Empty where everything that it needs was given."""
        missing = [f"--{name.replace('_', '-')}" for name in self.needs if not options[_at(name)]]
        return f"skipped: no {' and no '.join(missing)}" if missing else ""


def _at(name: str) -> int:
    return Options._fields.index(name)


# What is most certain comes first, what uses up all time that is left comes last. The first one
# also waits for PyTorch to be read from the disk.
PARTS = {
    "exactness": Part("exactness", 110, "the methods in float64, and float32 against it"),
    "precision": Part("precision", 50, "fp16 and bf16, and steps that fp16 skips"),
    "memory": Part("memory", 60, "measured peaks against what is expected"),
    "meta-gradient": Part("meta_gradient", 80, "time and memory over the first-order bound"),
    "study": Part("study", 60, "steps per second at the study's settings"),
    "graphs": Part("graphs", 60, "the methods as CUDA graphs"),
    "tests": Part("cuda_tests", 40, "the tests of pytest that need CUDA"),
    "compiled": Part("compiled", 110, "blockwise with compiled blocks"),
    "minilm": Part("minilm", 90, "MiniLM on AG News", needs=("model", "data_dir")),
}
