"""The tests of pytest that need CUDA (``@pytest.mark.cuda``), where there is none: skipped."""

import importlib.util
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from .part import Options, Row, skipped
from .runner import ROOT

TESTS = ROOT / "tests"
MARK = "pytest.mark.cuda"


def rows(options: Options) -> Iterator[Row]:
    """See `Rows`."""
    if importlib.util.find_spec("pytest") is None:
        yield skipped("tests", "pytest is not installed")
        return
    # Only these are read: others may need packages that this machine lacks.
    files = [path for path in sorted(TESTS.glob("test_*.py")) if MARK in path.read_text("utf-8")]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-v", "-m", "cuda", f"--junitxml={report}"]
        if importlib.util.find_spec("beartype") is None:
            command += ["-o", "addopts="]  # which asks it to check types
        done = subprocess.run([*command, *map(str, files)], cwd=ROOT, stdout=sys.stderr)
        if not report.exists():
            raise RuntimeError(f"pytest wrote no report; it ended with exit code {done.returncode}")
        yield from map(_row, ElementTree.parse(report).iter("testcase"))


def _row(case: ElementTree.Element) -> Row:
    name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
    figures = {"seconds": float(case.get("time", 0))}
    for kind, verdict in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        if (found := case.find(kind)) is not None:
            said = (found.get("message") or kind).splitlines()[0]
            return Row(name, said[:160], verdict, {**figures, "text": found.text})
    return Row(name, f"{figures['seconds']:.1f} s", "passed", figures)
