"""Where the time of an outer step goes."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

# "data": batch and embeddings; "inner": training learners on the distilled data; "outer": the
# gradient of the outer loss; "walk": the derivatives of the inner steps; "team": adding up what the
# members of a team have, and waiting for them.
Phase = Literal["data", "inner", "outer", "walk", "team"]


class PhaseClock:
    """Seconds spent in each phase; a GPU is waited for at both ends of a phase."""

    def __init__(self, device: torch.device) -> None:
        """For work on ``device``."""
        self._device = device
        self._seconds: defaultdict[Phase, float] = defaultdict(float)

    @contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        """Count what runs inside towards ``name``; phases do not nest."""
        started = self._now()
        try:
            yield
        finally:
            self._seconds[name] += self._now() - started

    def read(self) -> dict[Phase, float]:
        """Seconds since the last reading, by the phases that occurred."""
        seconds, self._seconds = self._seconds, defaultdict(float)
        return dict(seconds)

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()
