"""What a part of the benchmark is: its options, its clock and its rows. Imports no PyTorch."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, Protocol

# Said of a row; the part goes on with the next one. "not possible" is what the method or the device
# does not allow, and no fault.
Verdict = Literal["passed", "failed", "measured", "skipped", "out of memory", "not possible"]


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        case: what was looked at.
        result: in words and figures.
        verdict: what it shows.
        figures: the same as JSON has it, unrounded.
    """

    case: str
    result: str
    verdict: Verdict
    figures: Mapping[str, Any]


class Options(NamedTuple):
    """What every part is told.

    Attributes:
        device: "cpu" or "cuda"; "auto" is CUDA where there is one.
        is_tiny: so small that a CPU does it in seconds.
        model: folder of the encoder of `minilm`; may be empty.
        data_dir: folder of data sets; may be empty.
        dataset: one in it.
        deadline: by `time.time`, after which a part begins no further row.
    """

    device: str
    is_tiny: bool
    model: str
    data_dir: str
    dataset: str
    deadline: float

    def seconds_left(self) -> float:
        """Until the deadline; negative after it."""
        return self.deadline - time.time()


class Rows(Protocol):
    """A part: yields its rows one after the other, until its deadline at most."""

    def __call__(self, options: Options) -> Iterator[Row]: ...


def skipped(case: str, why: str) -> Row:
    """A row about what was not tried."""
    return Row(case, why, "skipped", {})


def not_reached(count: int) -> Row:
    """The last row of a part whose time was up."""
    return skipped(f"{count} more", "the time of this part was up")


def judged(case: str, result: str, holds: bool, figures: Mapping[str, Any]) -> Row:
    """A row that shows whether something holds."""
    return Row(case, result, "passed" if holds else "failed", figures)
