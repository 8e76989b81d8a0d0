"""Whether a worker reaches gRPC, which it says in its hello."""

import socket
from concurrent import futures

import grpc

from stillhouse_worker import convert
from stillhouse_worker.process.credentials import Credentials, fault_of_way


def test_a_port_where_grpc_answers_has_no_fault():
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    assert fault_of_way(f"127.0.0.1:{port}", Credentials()) == ""
    # TLS is expected, and nobody speaks it there.
    fault = fault_of_way(f"127.0.0.1:{port}", Credentials(authority=b"no certificate"))
    assert fault == f"gRPC at 127.0.0.1:{port} gives no connection within 3 s"
    server.stop(None)


def test_a_port_where_nobody_listens_is_a_fault_that_the_hello_names():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        # It accepts connections, as a firewall that drops what follows.
        fault = fault_of_way(address, Credentials())
    assert fault == f"gRPC at {address} gives no connection within 3 s"
    facts = {"device_name": "CPU"}
    frame = convert.hello("w", "cpu", 1, "h", facts, grpc_fault=fault)
    assert fault.encode() in frame
