"""What the benchmark of a network's meta-gradient measures, at a size for tests."""

import pytest

from bench._shared import live_peak_bytes
from bench.net_gradient import Way, setting_of, work_of_way
from stillhouse_worker.distillation.meta_gradient.walk import outer_gradient

STEPS = (6, 18)


def bytes_above_the_outer_batch(way: Way, steps: int) -> int:
    """Without the copies of theta."""
    setting = setting_of("lenet", (1, 12, 12), steps, 8)
    outer = live_peak_bytes(lambda: outer_gradient(setting.problem, setting.theta))
    copies = steps * sum(p.numel() * p.element_size() for p in setting.theta.values())
    return live_peak_bytes(work_of_way(setting, way)) - outer - copies


def test_without_kept_graphs_memory_grows_by_copies_of_theta_alone() -> None:
    few, many = (bytes_above_the_outer_batch(Way("stepwise", 0), steps) for steps in STEPS)
    # Rates and losses, numbers of each step, are all that is left.
    assert many - few < 4096 * (STEPS[1] - STEPS[0])
    kept = [bytes_above_the_outer_batch(Way("stepwise", 176), steps) for steps in STEPS]
    unrolled = [bytes_above_the_outer_batch(Way("unrolled", 0), steps) for steps in STEPS]
    graph = (kept[1] - kept[0]) / (STEPS[1] - STEPS[0])
    assert graph > 50_000
    assert kept[1] - kept[0] <= 1.05 * (unrolled[1] - unrolled[0])


def test_what_is_kept_stays_within_what_it_may_be() -> None:
    none, some = (bytes_above_the_outer_batch(Way("stepwise", mib), 18) for mib in (0, 1))
    assert 0 < some - none <= 1.1 * 2**20


@pytest.mark.parametrize("method", ["unrolled", "stepwise"])
def test_a_way_is_named_in_the_table(method: str) -> None:
    assert (
        Way(method, 3).name == {"unrolled": "unrolled", "stepwise": "stepwise, keeps 3 MiB"}[method]
    )
