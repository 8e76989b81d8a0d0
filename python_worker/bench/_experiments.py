"""`npm run experiment` as benchmarks run it, and the flags that they hand on to it."""

import argparse
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NamedTuple

from ._reports import ROOT
from ._shared import note

COMMAND = ["node", str(ROOT / "src" / "setup" / "run.mjs"), "experiment"]
INTERRUPTED = 130


class Ended(NamedTuple):
    """How the command ended.

    Attributes:
        exit_code: 0 where all of it succeeded.
        document: what it printed; None where that was no JSON object.
        is_stopped: whether a person stopped it.
    """

    exit_code: int
    document: dict[str, Any] | None
    is_stopped: bool


def run_experiment(flags: Sequence[str], is_told: bool = True) -> Ended:
    """Run it to its end, also after Ctrl-C, when it stores what it has.

    Args:
        flags: without ``--json``.
        is_told: whether its progress is shown; otherwise it is shown where the command failed.
    """
    process = subprocess.Popen(
        [*COMMAND, *flags, "--json"],
        stdout=subprocess.PIPE,
        stderr=None if is_told else subprocess.PIPE,
        text=True,
    )
    with _passing_on(process) as signals:
        stdout, stderr = process.communicate()
    if process.returncode != 0 and stderr:
        note(stderr)
    is_stopped = bool(signals) or process.returncode == INTERRUPTED
    return Ended(process.returncode, _object(stdout), is_stopped)


@contextlib.contextmanager
def _passing_on(process: subprocess.Popen[str]) -> Iterator[list[int]]:
    """Outlive signals, which the process gets too; those that came."""
    came: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        came.append(number)
        # Ctrl-C reaches the process by itself, as it reaches everything on this terminal.
        if number != signal.SIGINT or not any(os.isatty(descriptor) for descriptor in (0, 1, 2)):
            process.send_signal(number)

    before = {each: signal.signal(each, pass_on) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _object(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def add_common(parser: argparse.ArgumentParser) -> None:
    """The flag ``--common``; see `parse`."""
    parser.add_argument(
        "--common",
        default="",
        metavar="FLAGS",
        help="flags of npm run experiment for all; those behind a lone -- count as well",
    )


def parse(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None = None
) -> tuple[argparse.Namespace, list[str]]:
    """The benchmark's own arguments, and the flags that it hands on to `npm run experiment`."""
    words = list(sys.argv[1:] if argv is None else argv)
    at = words.index("--") if "--" in words else len(words)
    args = parser.parse_args(_joined(words[:at]))
    return args, [*shlex.split(args.common), *words[at + 1 :]]


def _joined(words: list[str]) -> list[str]:
    """``--common=FLAGS`` for ``--common FLAGS``; argparse takes no value that begins with "-"."""
    rest = iter(words)
    return [f"{word}={next(rest, '')}" if word == "--common" else word for word in rest]
