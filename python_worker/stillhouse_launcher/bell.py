"""A file that can be read when something has happened in another thread."""

import contextlib
import os


class Bell:
    """Rings in any thread, and is heard by ``select``.

    Attributes:
        fd: readable after a ring, until it is read.
    """

    def __init__(self) -> None:
        self.fd, self._rings = os.pipe()
        os.set_blocking(self._rings, False)

    def ring(self) -> None:
        """A pipe that is full says it already."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._rings, b".")
