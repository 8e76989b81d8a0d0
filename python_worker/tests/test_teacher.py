"""Labels of a learner's inside that a teacher gives: how it is trained, and what they are."""

from pathlib import Path

import pytest
import torch
from tasks_of import run, task_of
from test_meta_gradient import _assert_equal, assert_slopes

from bench._small_problem import Combination, problem
from conftest import RecordingReporter
from stillhouse_worker.artifact_files import TENSORS_NAME
from stillhouse_worker.artifacts import load_artifact
from stillhouse_worker.context.bench import open_bench
from stillhouse_worker.context.reporting import Silent, Stopped
from stillhouse_worker.context.settings import Settings
from stillhouse_worker.distillation.losses import HiddenTerm
from stillhouse_worker.distillation.meta_gradient import METHODS, unrolled
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.learners import Encoder
from stillhouse_worker.learners.pool import POOL_NAME, PoolId, open_pool
from stillhouse_worker.tasks.distill import Distillation, distill
from stillhouse_worker.tasks.execute import execute

SEED = 11


@pytest.fixture(scope="module")
def taught(settings: Settings) -> Settings:
    """Attention labels and hidden labels of a teacher, in two steps with learned rates."""
    distilled = settings.distilled._replace(
        internal_labels="teacher", hidden_labels="cls", num_steps=2, learn_lr="per_step"
    )
    return settings._replace(distilled=distilled)


@pytest.fixture(scope="module")
def teacher(taught: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    return execute("teach", task_of(taught, Silent(), folder, init_seeds=[SEED])).folder


def same_bytes(one: Path, other: Path, name: str) -> bool:
    return (one / name).read_bytes() == (other / name).read_bytes()


def labels_of_teacher(settings: Settings, teacher: Path, x: torch.Tensor, folder: Path):
    """Its attention and its first token's vectors on the samples, from their definition."""
    learner = open_bench(task_of(settings, Silent(), folder), ("train",)).learner
    theta = open_pool([teacher]).teacher()
    rows = "all" if settings.distilled.attention_labels == "all" else "first"
    output = learner.forward(theta, x, score_rows=rows)
    count = None if rows == "all" else 1
    attention = torch.stack([scores[:, :, :count].softmax(-1) for scores in output.scores], 1)
    return attention, torch.stack(list(output.hidden), 1)


def test_a_teacher_is_the_learner_of_full_data(taught: Settings, teacher: Path, tmp_path) -> None:
    reporter, again = RecordingReporter(), RecordingReporter()
    run("full", taught, [SEED], "", tmp_path / "full", reporter)
    outcome = execute("teach", task_of(taught, again, tmp_path, init_seeds=[SEED]))
    assert [*open_pool([teacher]).files] == [PoolId("teacher", 0)]
    assert same_bytes(outcome.folder, teacher, POOL_NAME)
    losses = [(n, s, v) for n, s, v in reporter.metrics if n == "train_loss"]
    assert losses
    assert [point for point in again.metrics if point[0] == "train_loss"] == losses
    best = max(value for name, _, value in again.metrics if name == "validation_accuracy")
    assert outcome.accuracies == [pytest.approx(best)]


def test_an_interrupted_training_of_it_ends_in_the_same_bytes(
    taught: Settings, teacher: Path, tmp_path: Path
) -> None:
    stops = 0
    while True:
        try:
            task = task_of(taught, RecordingReporter(stop_after=5), tmp_path, init_seeds=[SEED])
            folder = execute("teach", task).folder
            break
        except Stopped:
            stops += 1
    assert stops >= 2
    assert same_bytes(folder, teacher, POOL_NAME)


@pytest.mark.parametrize("kind", ["cls", "all"])
def test_labels_are_its_own_on_the_first_samples_and_stay_so(
    taught: Settings, teacher: Path, tmp_path: Path, kind
) -> None:
    distilled = taught.distilled._replace(attention_labels=kind, hidden_init="noise")
    settings = taught._replace(distilled=distilled)
    task = task_of(settings, Silent(), tmp_path, pool=[teacher])
    distillation = Distillation(task)
    x = distillation.loop.phi["x"].detach().clone()
    assert {"attention", "hidden"}.isdisjoint(distillation.loop.phi)
    attention, states = labels_of_teacher(settings, teacher, x, tmp_path / "own")
    data = load_artifact(distill(task).folder).data
    assert not torch.equal(data.x, x)
    assert data.attention_labels is not None
    torch.testing.assert_close(data.attention_labels.log_probabilities.exp(), attention)
    assert data.hidden_labels is not None
    torch.testing.assert_close(data.hidden_labels.states, states)


def test_the_manifest_says_so(taught: Settings, distilled, teacher: Path, tmp_path) -> None:
    outcome = distill(task_of(taught, Silent(), tmp_path, pool=[teacher]))
    assert load_artifact(outcome.folder).manifest["inner_loss"]["internal_labels"] == "teacher"
    assert "internal_labels" not in load_artifact(distilled.folder).manifest["inner_loss"]


def test_an_interrupted_distillation_ends_in_the_same_bytes(
    taught: Settings, teacher: Path, tmp_path: Path
) -> None:
    """The labels come from the checkpoint, not from samples that have moved."""
    straight = distill(task_of(taught, Silent(), tmp_path / "straight", pool=[teacher]))
    stops = 0
    while True:
        reporter = RecordingReporter(stop_after=4)
        try:
            broken = distill(task_of(taught, reporter, tmp_path / "broken", pool=[teacher]))
            break
        except Stopped:
            stops += 1
    assert stops >= 2
    assert same_bytes(straight.folder, broken.folder, TENSORS_NAME)


def test_without_a_teacher_there_are_no_labels(taught: Settings, tmp_path: Path) -> None:
    with pytest.raises(StillhouseError, match='"distill" needs the teacher of its labels'):
        run("distill", taught, [], "", tmp_path, Silent())


def test_learners_do_not_start_from_it(taught: Settings, teacher: Path, tmp_path: Path) -> None:
    bench = open_bench(task_of(taught, Silent(), tmp_path, pool=[teacher]), ("train",))
    assert bench.starts.pool is None


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_meta_gradient_of_the_rest_is_the_slope(tiny_encoder: Encoder, blocks: int) -> None:
    """Labels that are given have no gradient, and change none of the others."""
    case, phi, theta = problem(
        tiny_encoder, num_steps=2, learn_lr="per_step", blocks=blocks, hidden=HiddenTerm()
    )
    held = {name: phi[name].detach() for name in ("attention", "hidden")}
    rest = {name: tensor for name, tensor in phi.items() if name not in held}
    given = case._replace(materialise=lambda own: case.materialise(held | own))
    assert_slopes(METHODS, given, rest, theta)
    oracle, learned = unrolled(given, rest, theta), unrolled(case, phi, theta)
    assert oracle.grads.keys() == rest.keys()
    for name, grad in oracle.grads.items():
        torch.testing.assert_close(grad, learned.grads[name], rtol=1e-12, atol=1e-14)
    each = Combination("unrestricted", "cls", 2, "per_step", False, blocks)
    for name in ("stepwise", "blockwise"):
        _assert_equal(METHODS[name](given, rest, theta), oracle, each)
