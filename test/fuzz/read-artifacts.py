"""Read artifacts that were changed at random. Arguments: CASES SEED.

Each must be read, or refused by a StillhouseError; otherwise the case is printed and the exit code
is 1.
"""

import hashlib
import json
import random
import resource
import signal
import sys
import tempfile
import traceback
from pathlib import Path

import torch
from stillhouse_worker.artifact_files import MANIFEST_NAME, TENSORS_NAME, write_artifact
from stillhouse_worker.artifacts import load_artifact
from stillhouse_worker.distillation.synthetic import AttentionLabels, DistilledData
from stillhouse_worker.errors import StillhouseError

CASE_LIMIT_S = 10
MAX_GROWTH_KIB = 64 * 1024
INTERESTING = [b"{", b"[", b"null", b'"', b"\x00", b"\xff", b"-1", b"1e999", b"9" * 40, b"F32", b"I64"]


def example(folder: Path, with_attention: bool) -> None:
    """Write a small artifact."""
    attention = AttentionLabels("all", torch.zeros(2, 2, 2, 4, 4)) if with_attention else None
    data = DistilledData(torch.zeros(2, 4, 8), torch.zeros(2, 2), attention, torch.zeros(1))
    manifest = {
        "dataset": {"class_names": ["a", "b"], "max_length": 8},
        "model": {"name": "m", "fingerprint": "f", "fixed_init": False, "head_init": "normal"},
        "inner_loss": {"attention_lambda": 1.0, "attention_reduction": "batchmean"},
        "seed": 1,
    }
    write_artifact(folder, data, manifest, "fp32")


def changed(content: bytes, draw: random.Random) -> bytes:
    """A few bytes flipped, cut, inserted or repeated, or the end cut off."""
    for _ in range(draw.randint(0, 4)):
        at, length = draw.randint(0, len(content)), draw.randint(1, 40)
        head, rest = content[:at], content[at:]
        match draw.randrange(5):
            case 0:
                content = head + bytes([draw.randrange(256)]) + rest[1:]
            case 1:
                content = head + rest[length:]
            case 2:
                content = head + draw.choice(INTERESTING) + rest
            case 3:
                content = head + rest[:length] + rest
            case 4:
                content = head
    return content


def other_json(draw: random.Random, depth: int = 0) -> object:
    """Well-formed JSON of any shape."""
    kinds = [None, True, -1, 0.5, "text", 10**30, float("inf"), [], {}]
    if depth > 3 or draw.random() < 0.4:
        return draw.choice(kinds)
    if draw.random() < 0.5:
        return [other_json(draw, depth + 1) for _ in range(draw.randint(0, 3))]
    keys = ["sha256", "format", "dataset", TENSORS_NAME, "x"]
    return {draw.choice(keys): other_json(draw, depth + 1) for _ in range(draw.randint(0, 3))}


def edited_manifest(text: str, draw: random.Random) -> str:
    """The manifest with one of its entries replaced, or another document."""
    if draw.random() < 0.1:
        return "[" * draw.choice([10, 10_000, 200_000])
    if draw.random() < 0.2:
        return json.dumps(other_json(draw))
    manifest = json.loads(text)
    manifest[draw.choice(list(manifest))] = other_json(draw)
    return json.dumps(manifest)


def write_case(folder: Path, tensors: bytes, manifest: str, draw: random.Random) -> None:
    """One changed artifact; half of the changed tensors have the hash that the manifest names."""
    if draw.random() < 0.5:
        tensors = changed(tensors, draw)
        if draw.random() < 0.7:
            entry = json.loads(manifest)
            entry["sha256"][TENSORS_NAME] = hashlib.sha256(tensors).hexdigest()
            manifest = json.dumps(entry)
    if draw.random() < 0.5:
        manifest = edited_manifest(manifest, draw)
    content = manifest.encode()
    (folder / TENSORS_NAME).write_bytes(tensors)
    (folder / MANIFEST_NAME).write_bytes(changed(content, draw) if draw.random() < 0.3 else content)


def main() -> int:
    """Run all cases."""
    cases, seed = int(sys.argv[1]), int(sys.argv[2])
    early_kib = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        examples = []
        for with_attention in (False, True):
            example(folder, with_attention)
            manifest = (folder / MANIFEST_NAME).read_text(encoding="utf-8")
            examples.append(((folder / TENSORS_NAME).read_bytes(), manifest))
        for case in range(cases):
            draw = random.Random(f"{seed} {case}")
            write_case(folder, *draw.choice(examples), draw)
            signal.alarm(CASE_LIMIT_S)
            try:
                load_artifact(folder)
            except StillhouseError as error:
                if error.kind not in ("invalid", "not_found") or not error.message:
                    print(f"case {case} of seed {seed}: the wrong error, {error.kind}")
                    return 1
            except BaseException:
                traceback.print_exc()
                print(f"case {case} of seed {seed} is not refused as damaged")
                return 1
            signal.alarm(0)
            if case == cases // 5:
                early_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    growth_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - early_kib
    if growth_kib > MAX_GROWTH_KIB:
        print(f"memory grew by {growth_kib} KiB")
        return 1
    return 0


sys.exit(main())
