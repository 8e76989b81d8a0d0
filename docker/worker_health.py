"""Ends with 0 when the worker of this container has its connection to the control plane.

HEALTHCHECK of the images of workers: process 1 is the worker, or the init that was given its
arguments, and --connect among them says where the control plane hears workers.
"""

import sys
from pathlib import Path
from urllib.parse import urlsplit

_ESTABLISHED = "01"


def connected(arguments: list[str], tables: list[str]) -> bool:
    """Whether a table of TCP connections has one that is established to the port of --connect.

    Args:
        arguments: of the worker.
        tables: texts of /proc/net/tcp and /proc/net/tcp6.
    """
    words = [part for word in arguments for part in word.split("=", 1)]
    port = urlsplit(words[words.index("--connect") + 1]).port
    wanted = f":{port:04X}"
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    return any(row[2].endswith(wanted) and row[3] == _ESTABLISHED for row in rows)


if __name__ == "__main__":
    process = Path("/proc") / (sys.argv[1] if len(sys.argv) > 1 else "1")
    words = (process / "cmdline").read_text().split("\0")
    tables = [path.read_text() for path in (process / "net").glob("tcp*")]
    sys.exit(0 if connected(words, tables) else 1)
