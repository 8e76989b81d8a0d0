"""The network addresses of this machine."""

import socket


def own_address(address: str) -> str:
    """The IP address of this machine on the interface that leads to HOST:PORT; nothing is sent.

    Raises:
        OSError: nothing leads there.
    """
    host, _, port = address.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)
    family, kind, protocol, _, place = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(place)
        return str(probe.getsockname()[0])
