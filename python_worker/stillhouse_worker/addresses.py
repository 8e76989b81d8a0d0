"""Network addresses, and those of this machine."""

import socket


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of HOST:PORT; an IPv6 address is without its brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def own_address(address: str) -> str:
    """The IP address of this machine on the interface that leads to HOST:PORT; nothing is sent.

    Raises:
        OSError: nothing leads there.
    """
    found = socket.getaddrinfo(*host_and_port(address), type=socket.SOCK_DGRAM)
    family, kind, protocol, _, place = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(place)
        return str(probe.getsockname()[0])
