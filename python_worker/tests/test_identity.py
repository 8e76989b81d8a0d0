"""A worker has the same name after each start, and no two have it at the same time."""

import subprocess
import sys

from stillhouse_worker.process.identity import Identity


def test_two_workers_at_a_time_have_two_names_and_get_them_again(tmp_path) -> None:
    first, second = (Identity(tmp_path, "lab", "cuda:1") for _ in range(2))
    assert first.worker_id != second.worker_id
    assert first.worker_id.startswith("lab-cuda1-")
    names = {first.worker_id, second.worker_id}
    first._file.close()
    second._file.close()
    again = [Identity(tmp_path, "lab", "cuda:1") for _ in range(2)]
    assert {identity.worker_id for identity in again} == names


def test_a_name_is_free_when_its_process_was_killed(tmp_path) -> None:
    code = (
        "import os, pathlib, sys; from stillhouse_worker.process.identity import Identity;"
        "print(Identity(pathlib.Path(sys.argv[1]), 'a b', 'cpu').worker_id, flush=True);"
        "os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -9
    assert Identity(tmp_path, "a b", "cpu").worker_id == killed.stdout.strip()
