"""The schedules of the outer rate."""

import pytest

from stillhouse_worker.distillation.rates import Schedule, ScheduleKind


def test_rate_rises_over_a_tenth_and_falls_to_zero() -> None:
    rates = [Schedule("linear", 0.1).rate(step, 100, 2.0) for step in range(101)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9] == rates[10] == 2.0
    assert rates[55] == pytest.approx(1.0)
    assert rates[99] == pytest.approx(2.0 / 90)
    assert rates[100] == 0.0
    assert max(rates) == 2.0


def test_rate_without_warm_up_starts_at_its_peak() -> None:
    assert Schedule("linear", 0.1).rate(0, 4, 1.0) == 1.0


@pytest.mark.parametrize("kind", ["linear", "step", "constant"])
def test_every_schedule_has_the_same_warm_up(kind: ScheduleKind) -> None:
    schedule = Schedule(kind, 0.3, 0.5, 20)
    rates = [schedule.rate(step, 20, 6.0) for step in range(6)]
    assert rates == pytest.approx([1, 2, 3, 4, 5, 6])


def test_a_step_schedule_is_multiplied_by_its_factor_again_and_again() -> None:
    schedule = Schedule("step", 0.0, 0.5, 4)
    rates = [schedule.rate(step, 10, 8.0) for step in range(10)]
    assert rates == [8.0] * 4 + [4.0] * 4 + [2.0] * 2


def test_a_constant_rate_stays_where_the_warm_up_ends() -> None:
    schedule = Schedule("constant", 0.2)
    assert [schedule.rate(step, 10, 3.0) for step in range(10)] == [1.5] + [3.0] * 9
    assert Schedule("constant", 0.0).rate(0, 10, 3.0) == 3.0
