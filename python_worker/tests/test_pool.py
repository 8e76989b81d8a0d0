"""Pools of pretrained learners: how they are trained, and who starts from which."""

from pathlib import Path

import image_sets
import pytest
import torch
from tasks_of import run, task_of

from conftest import RecordingReporter
from stillhouse_worker.artifacts import load_artifact
from stillhouse_worker.context.reporting import Stopped
from stillhouse_worker.context.settings import PoolSettings, Settings
from stillhouse_worker.datasets import Reading, load_dataset
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.learners.nets import make_net
from stillhouse_worker.learners.pool import Pool, PoolId, open_pool, write_pool
from stillhouse_worker.learners.starts import Starts
from stillhouse_worker.models.nets import net_fingerprint
from stillhouse_worker.tasks.execute import execute

SEEDS = [11, 12]


@pytest.fixture(scope="module")
def pooled(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A pool of three small MLPs for images of cats and brighter dogs."""
    folder = tmp_path_factory.mktemp("images")
    image_sets.write_idx(folder / "pets", rows=40)
    reading = Reading(0.2, 0.2, "refuse")
    found = load_dataset(
        "pets", source="local", data_dir=str(folder), splits=(), reading=reading
    ).fingerprint
    data = settings.data._replace(
        name="pets", data_dir=str(folder), fingerprint=found, reading=reading
    )
    distilled = settings.distilled._replace(
        attention_labels="none", class_labels="hard", seq_len=1, num_steps=2, lr=0.02
    )
    return settings._replace(
        data=data,
        model=settings.model._replace(name="mlp", fingerprint=net_fingerprint("mlp")),
        distilled=distilled,
        outer=settings.outer._replace(num_steps=4),
        pool=PoolSettings(3, 4, 8, 0.01, 2),
    )


@pytest.fixture(scope="module")
def pool_folder(pooled: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    task = task_of(pooled, RecordingReporter(), folder, members=[0, 1, 2], init_seeds=SEEDS)
    return execute("pretrain", task).folder


def thetas(folder: Path) -> dict[PoolId, dict[str, torch.Tensor]]:
    pool = open_pool([folder])
    return {which: pool._theta(which) for which in pool.files}


def test_its_learners_are_trained_and_all_different(pooled, pool_folder: Path, tmp_path) -> None:
    found = thetas(pool_folder)
    assert [*found] == [PoolId("member", n) for n in range(3)] + [
        PoolId("held-out", seed) for seed in SEEDS
    ]
    weights = [theta["out.weight"] for theta in found.values()]
    for index, weight in enumerate(weights):
        assert all(not torch.equal(weight, other) for other in weights[:index])
    reporter = RecordingReporter()
    task = task_of(pooled, reporter, tmp_path, init_seeds=SEEDS, pool=[pool_folder])
    trained = execute("untrained", task)
    drawn = run("untrained", pooled._replace(pool=None), SEEDS, "", tmp_path / "b", reporter)
    assert min(outcome.accuracy for outcome in trained.inits) >= 0.9
    assert max(outcome.accuracy for outcome in drawn.inits) < 0.9


def test_a_member_is_the_same_whatever_the_seed_and_the_shard(
    pooled: Settings, pool_folder: Path, tmp_path: Path
) -> None:
    alone = task_of(pooled._replace(seed=99), RecordingReporter(), tmp_path, members=[1])
    other = thetas(execute("pretrain", alone).folder)[PoolId("member", 1)]
    one = thetas(pool_folder)[PoolId("member", 1)]
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_an_interrupted_pretraining_ends_in_the_same_bytes(
    pooled: Settings, pool_folder: Path, tmp_path: Path
) -> None:
    stops = 0
    while True:
        reporter = RecordingReporter(stop_after=9)
        task = task_of(pooled, reporter, tmp_path, members=[0, 1, 2], init_seeds=SEEDS)
        try:
            folder = execute("pretrain", task).folder
            break
        except Stopped:
            stops += 1
    assert stops >= 3
    name = "pool.safetensors"
    assert (folder / name).read_bytes() == (pool_folder / name).read_bytes()


def test_outer_steps_take_every_member_in_turn_and_tests_those_that_are_held_out(
    tmp_path: Path,
) -> None:
    net = make_net("mlp", (1, 4, 4), [0.5], [0.5])
    named = {PoolId("member", n): {"w": torch.tensor(float(n))} for n in range(5)}
    named[PoolId("held-out", 7)] = {"w": torch.tensor(70.0)}
    write_pool(tmp_path, named, {})
    starts = Starts(net, 2, 3, "default", False, open_pool([tmp_path]))
    drawn = [int(starts.of_outer_step(draw)["w"]) for draw in range(15)]
    rounds = [drawn[at : at + 5] for at in (0, 5, 10)]
    assert all(sorted(turn) == [0, 1, 2, 3, 4] for turn in rounds)
    assert len({tuple(turn) for turn in rounds}) > 1
    assert int(starts.of_test_learner(7)["w"]) == 70
    assert int(starts.of_validation(6)["w"]) == 1
    with pytest.raises(StillhouseError, match="has no held-out learner 8"):
        starts.of_test_learner(8)


def test_what_is_no_pool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StillhouseError, match="is damaged"):
        open_pool([tmp_path])
    (tmp_path / "manifest.json").write_text('{"format": "stillhouse.distilled.v1"}')
    with pytest.raises(StillhouseError, match=r"this version reads stillhouse\.pool\.v1"):
        open_pool([tmp_path])
    missing = Pool({PoolId("member", 0): tmp_path / "none"}, 1, torch.device("cpu"))
    with pytest.raises(StillhouseError, match="cannot be read"):
        missing.member(0)


def test_distilled_data_is_of_the_members_and_is_tested_on_the_others(
    pooled: Settings, pool_folder: Path, tmp_path: Path
) -> None:
    reporter = RecordingReporter()
    with pytest.raises(StillhouseError, match='"distill" needs the learners of a pool'):
        run("distill", pooled, [], "", tmp_path / "none", reporter)
    given = {"pool": [pool_folder]}
    outcome = execute("distill", task_of(pooled, reporter, tmp_path, **given))
    artifact = load_artifact(outcome.folder)
    assert artifact.manifest["pool"]["size"] == 3
    with pytest.raises(StillhouseError, match="distilled for pretrained learners"):
        artifact.train(init_seed=SEEDS[0])
    start = open_pool([pool_folder]).held_out(SEEDS[0])
    images = torch.from_numpy(image_sets.pixels(200)[None, None])
    given |= {"init_seeds": SEEDS, "artifact_path": outcome.folder}
    tested = execute("evaluate", task_of(pooled, reporter, tmp_path / "e", **given))
    assert [each.init_seed for each in tested.inits] == SEEDS
    assert artifact.train(start=start).predict(images) in (["0"], ["1"])
