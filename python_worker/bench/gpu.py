"""Whether everything that Stillhouse does on a GPU is right and fast there, in a few minutes.

Its parts: exactness of the three meta-gradient methods; fp16 and bf16, with the steps that fp16
skips; measured memory against what is expected; time and memory of the methods over the
first-order bound, as they are, compiled and as CUDA graphs; steps per second at the study's
settings; MiniLM on AG News; and the tests of pytest that need CUDA. Each runs in a process of its
own within its share of the time, and the others go on where one fails. What all of them found is
written as gpu.json and gpu.md.

On a machine without Node and without a network, the repository and a Python with PyTorch,
transformers, safetensors, tokenizers, jaxtyping, numpy, psutil, pyarrow and pytest are enough (no
generated code; nvidia-ml-py names the driver):

    cd python_worker
    python -m bench.gpu --output FOLDER --commit COMMIT [--model FOLDER --data-dir FOLDER]

The model is a folder in the hub's format (of MiniLM: config.json, model.safetensors, which may be
in fp16, and the tokenizer's files), the data a folder with one folder ag_news as experiments take
it. ``--tiny --device cpu`` tries all of it in seconds, without a GPU.
"""

import argparse
import functools
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ._gpu.part import Options
from ._gpu.parts import PARTS
from ._gpu.report import exit_code_of, write_reports
from ._gpu.runner import PartReport, run_parts
from ._reports import source_facts

OUTPUT = Path(__file__).parents[2] / "dist" / "bench" / "gpu"
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run the parts, write the reports; the exit code."""
    args = _arguments(argv)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    source, started = source_facts(args.commit), time.time()
    options = Options(
        args.device,
        args.tiny,
        _absolute(args.model),
        _absolute(args.data_dir),
        args.dataset,
        started + 60 * args.minutes,
    )
    reports: list[PartReport] = []
    for report in run_parts(args.parts, options, stop, _note):
        reports.append(report)
        # After each, so that a process that is killed leaves what it has.
        write_reports(args.output, reports, source, options, started)
    print((args.output / "gpu.md").read_text("utf-8"), end="")
    _note(f"written: {args.output / 'gpu.json'} and gpu.md")
    return INTERRUPTED if stop.is_set() else exit_code_of(reports)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="npm run bench -- gpu", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--minutes", type=float, default=8, help="for all parts (default: 8)")
    parser.add_argument(
        "--parts",
        type=_names,
        default=list(PARTS),
        metavar="A,B",
        help=f"some of {','.join(PARTS)} (default: all)",
    )
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--tiny", action="store_true", help="so small that a CPU takes seconds")
    parser.add_argument("--model", default="", help="folder of MiniLM, for the part minilm")
    parser.add_argument("--data-dir", default="", help="folder of data sets, for the part minilm")
    parser.add_argument("--dataset", default="ag_news", help="one in --data-dir")
    parser.add_argument("--commit", default="", help="of these files, where git cannot tell")
    parser.add_argument(
        "--output", type=Path, default=OUTPUT, help=f"folder of the two files (default: {OUTPUT})"
    )
    return parser.parse_args(argv)


def _names(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in PARTS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(PARTS)}")
    return names


def _absolute(path: str) -> str:
    """For processes that run in another folder."""
    return str(Path(path).expanduser().resolve()) if path else ""


_note = functools.partial(print, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
