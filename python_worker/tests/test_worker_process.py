"""The process of a worker as a whole."""

import subprocess
import sys


def test_a_worker_ends_with_a_parent_that_was_gone_before_it_looked():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    flags = ["--connect", "tcp://127.0.0.1:9", "--id", "orphan", "--parent", str(gone.pid)]
    worker = [sys.executable, "-m", "stillhouse_worker", "worker", *flags]
    assert subprocess.run(worker, check=False).returncode == 0
