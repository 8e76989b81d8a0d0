"""The whole process of a worker."""

import socket
import subprocess
import sys

import pytest
import zmq


def test_a_worker_ends_where_its_parent_has_ended_before_its_first_check():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    flags = ["--connect", "tcp://127.0.0.1:9", "--id", "orphan", "--parent", str(gone.pid)]
    worker = [sys.executable, "-m", "stillhouse_worker", "worker", *flags]
    assert subprocess.run(worker, check=False).returncode == 0


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_a_worker_reaches_a_control_plane_at_an_ipv6_address():
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.setsockopt(zmq.IPV6, 1)
        port = router.bind_to_random_port("tcp://[::1]")
        flags = ["--connect", f"tcp://[::1]:{port}", "--id", "six"]
        worker = subprocess.Popen([sys.executable, "-m", "stillhouse_worker", "worker", *flags])
        try:
            assert router.poll(120_000), "no hello came"
            assert b"six" in router.recv_multipart()[-1]
        finally:
            worker.kill()
            worker.wait()
