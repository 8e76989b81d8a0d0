"""The keys by which a worker identifies itself and checks the control plane."""

from pathlib import Path
from typing import Any, NamedTuple

import grpc
import zmq
import zmq.auth

from ..errors import StillhouseError

# The names of `npm run keys`.
_AUTHORITY, _CERTIFICATE, _KEY = "ca.crt", "tls.crt", "tls.key"
_CURVE, _CONTROL_PLANE = "curve.key_secret", "control-plane.key"
_TOKEN, _SERVER_NAME = "token", "server-name"

# Longest that a hello waits for gRPC.
_WAY_S = 3.0


class Credentials(NamedTuple):
    """The content of a worker's folder of keys; None for missing files."""

    authority: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    token: str | None = None
    # Name in the server's certificate, where it is not that of its address.
    server_name: str | None = None
    # Z85, 40 bytes each.
    curve_public: bytes | None = None
    curve_secret: bytes | None = None
    curve_server: bytes | None = None

    def __repr__(self) -> str:
        """Secrets are never printed."""
        return "Credentials(…)"


def read_credentials(folder: Path | None) -> Credentials:
    """The keys in a folder; none for None. Raises StillhouseError for a folder without keys."""
    if folder is None:
        return Credentials()
    if not folder.is_dir():
        raise StillhouseError("environment", f"there is no folder of keys {folder}")
    curve_public, curve_secret = _curve(folder / _CURVE)
    found = Credentials(
        authority=_bytes(folder / _AUTHORITY),
        certificate=_bytes(folder / _CERTIFICATE),
        key=_bytes(folder / _KEY),
        token=_text(folder / _TOKEN),
        server_name=_text(folder / _SERVER_NAME),
        curve_public=curve_public,
        curve_secret=curve_secret,
        curve_server=_curve(folder / _CONTROL_PLANE)[0],
    )
    if found == Credentials():
        raise StillhouseError(
            "environment",
            f"{folder} holds no keys of a worker; npm run keys makes a folder workers/NAME",
        )
    return found


def secure(socket: zmq.Socket[bytes], credentials: Credentials) -> None:
    """Enables CURVE for a ZeroMQ socket that is not connected yet, if there are keys."""
    server, public, secret = (
        credentials.curve_server,
        credentials.curve_public,
        credentials.curve_secret,
    )
    if server is None or public is None or secret is None:
        return
    socket.setsockopt(zmq.CURVE_SERVERKEY, server)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
    socket.setsockopt(zmq.CURVE_SECRETKEY, secret)


def open_channel(
    address: str, credentials: Credentials, options: list[tuple[str, Any]]
) -> grpc.Channel:
    """A gRPC channel, over TLS where the authority of the server is known.

    The proxy that http_proxy names is for the web, and a control plane is not reached through it.
    """
    options = [*options, ("grpc.enable_http_proxy", 0)]
    if credentials.authority is None:
        return grpc.insecure_channel(address, options=options)
    tls = grpc.ssl_channel_credentials(
        credentials.authority, credentials.key, credentials.certificate
    )
    if credentials.server_name is not None:
        options = [*options, ("grpc.ssl_target_name_override", credentials.server_name)]
    return grpc.secure_channel(address, tls, options=options)


def fault_of_way(address: str, credentials: Credentials) -> str:
    """Why no channel to this address comes about, over TLS where needed; empty where one does."""
    channel = open_channel(address, credentials, [])
    try:
        grpc.channel_ready_future(channel).result(timeout=_WAY_S)
    except grpc.FutureTimeoutError:
        return f"gRPC at {address} gives no connection within {_WAY_S:.0f} s"
    finally:
        channel.close()
    return ""


def call_metadata(credentials: Credentials) -> list[tuple[str, str]]:
    """Metadata of every call: the bearer token, where there is one."""
    if credentials.token is None:
        return []
    return [("authorization", f"Bearer {credentials.token}")]


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8").strip() if path.exists() else None


def _curve(path: Path) -> tuple[bytes | None, bytes | None]:
    """Public and secret key of a file, None for what is not there."""
    if not path.exists():
        return None, None
    try:
        return zmq.auth.load_certificate(path)
    except ValueError as error:
        raise StillhouseError(
            "environment", f"{path} is not a CURVE key file; npm run keys writes one"
        ) from error
