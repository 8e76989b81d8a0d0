"""What benchmarks say about their code, and how they write files."""

import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def source_facts(given: str = "") -> dict[str, Any]:
    """The commit, ``given`` where git cannot tell, and whether a file of it was changed."""
    commit, changed = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--", ".")
    if commit is None:
        return {"commit": given or None, "changed": None}
    return {"commit": given or commit, "changed": bool(changed)}


def source_text(facts: dict[str, Any]) -> str:
    """Such as "commit 2bc47e7a01d2 with changes"."""
    commit = facts["commit"] or "unknown"
    return f"commit {commit[:12]}{' with changes' if facts['changed'] else ''}"


def write_whole(path: Path, text: str) -> None:
    """Write a file that has either its old or its new content, whenever the process ends."""
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(text, "utf-8")
    os.replace(partial, path)


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
