"""Several processes that share the outer steps, over gloo."""

import functools
import math
import sys
from pathlib import Path

import pytest
import torch
from tasks_of import task_of

from stillhouse_worker.artifacts import TENSORS_NAME, load_artifact
from stillhouse_worker.context.reporting import Stopped
from stillhouse_worker.distillation.meeting import open_meeting
from stillhouse_worker.distillation.process_group import joined
from stillhouse_worker.distillation.team import Team
from stillhouse_worker.distillation.team_processes import leading
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.tasks.distill import distill


def _short(settings, **outer):
    return settings._replace(outer=settings.outer._replace(num_steps=5, **outer))


# Two heads are shared out among the processes; with one head, the rows of the batch are, and the
# last batch of 48 rows in batches of 7 is smaller.
@pytest.mark.parametrize(
    "outer", [{"inits_per_step": 2}, {"batch_size": 7}, {"accumulate_loss": True}]
)
def test_two_processes_distil_what_one_does(settings, tmp_path, reporter, outer) -> None:
    chosen = _short(settings, **outer)
    own = chosen.distilled._replace(
        num_steps=2,
        dropout=0.1,
        x_init="class_means",
        attention_init="samples",
        lr=0.0,
        learn_lr="shared",
    )
    chosen = chosen._replace(distilled=own)
    alone = distill(task_of(chosen, reporter, _folder(tmp_path / "alone")))
    losses = [value for name, _, value in reporter.metrics if name == "outer_loss"]
    reporter.metrics.clear()
    both = distill(task_of(chosen._replace(num_devices=2), reporter, _folder(tmp_path / "both")))
    shared = [value for name, _, value in reporter.metrics if name == "outer_loss"]
    assert shared == pytest.approx(losses, rel=1e-5)  # other sums, in fp32
    expected, data = load_artifact(alone.folder).data, load_artifact(both.folder).data
    for one, other in zip(
        (*data.parts(), data.lrs), (*expected.parts(), expected.lrs), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert any(name == "seconds_team" for name, _, _ in reporter.metrics)


def test_a_team_that_was_stopped_continues_to_the_same_bytes(
    settings, tmp_path, reporter, make_reporter
) -> None:
    chosen = _short(settings)._replace(num_devices=2)
    straight = distill(task_of(chosen, reporter, _folder(tmp_path / "straight")))
    folder = _folder(tmp_path / "broken")
    with pytest.raises(Stopped):
        distill(task_of(chosen, make_reporter(3), folder))
    broken = distill(task_of(chosen, reporter, folder))
    assert any("resumed at outer step" in line for _, line in reporter.lines)
    assert (straight.folder / TENSORS_NAME).read_bytes() == (
        broken.folder / TENSORS_NAME
    ).read_bytes()
    assert [path.name for path in folder.iterdir() if path.name.startswith("state-for-")] == []


def test_a_lost_helper_fails_the_step_with_a_retryable_error() -> None:
    tensor = torch.ones(3)
    with leading(2, "cpu", functools.partial(_take_part, 1)) as team:
        team.total([tensor])
        assert tensor.tolist() == [2, 2, 2]
        with pytest.raises(StillhouseError, match="shares the outer steps was lost") as caught:
            team.total([tensor])
    assert caught.value.retryable


class _EndsOnArrival:
    """A helper exits when it unpickles this."""

    def __call__(self, team: Team, device: str) -> None: ...

    def __reduce__(self):
        return sys.exit, (7,)


def test_a_helper_that_ends_before_it_joins_is_noticed_at_once(monkeypatch) -> None:
    monkeypatch.setattr("stillhouse_worker.distillation.team_processes._JOIN_TIMEOUT_S", math.inf)
    with (
        pytest.raises(StillhouseError, match=r"process [12] .* ended with exit code 7") as caught,
        leading(3, "cpu", _EndsOnArrival()),
    ):
        pass
    assert caught.value.retryable


def test_a_helper_that_never_joins_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr("stillhouse_worker.distillation.team_processes._JOIN_TIMEOUT_S", 0.0)
    with (
        pytest.raises(StillhouseError, match="was not ready after 0 s before it joined"),
        leading(2, "cpu", functools.partial(_take_part, 1)),
    ):
        pass


@pytest.mark.cuda
def test_a_team_of_one_adds_up_over_nccl() -> None:
    store, _ = open_meeting("127.0.0.1", 1)
    with joined(store, 0, 1, "cuda:0", "127.0.0.1") as group:
        team = Team(0, 1, group)
        tensors = [torch.ones(3, device="cuda:0"), torch.full((2, 2), 2.0, device="cuda:0")]
        team.total(tensors)
        assert team.bytes_of_leader(b"state") == b"state"
    assert [tensor.flatten().tolist() for tensor in tensors] == [[1] * 3, [2] * 4]


def _take_part(times: int, team: Team, device: str) -> None:
    assert (team.rank, team.size, device) == (1, 2, "cpu")
    for _ in range(times):
        team.total([torch.ones(3)])
    sys.exit(1)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
