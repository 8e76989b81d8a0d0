"""Where distilled data starts: at class means, at its own attention, with a rate that is searched."""

import math

import pytest
import torch
from tasks_of import task_of
from test_tasks import bytes_of

from stillhouse_worker.context.bench import open_bench
from stillhouse_worker.context.reporting import Stopped
from stillhouse_worker.context.settings import Settings
from stillhouse_worker.datasets import select_rows
from stillhouse_worker.distillation.synthetic import AttentionLabels, materialise
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.evaluation.coresets import features_of
from stillhouse_worker.tasks import first_rate as searching
from stillhouse_worker.tasks.distill import Distillation, distill
from stillhouse_worker.tasks.initial_data import initial_phi


@pytest.fixture(scope="module")
def started(settings: Settings) -> Settings:
    """The start of preset `cpu`."""
    own = settings.distilled._replace(
        x_init="class_means",
        attention_init="samples",
        lr=0.0,
        learn_lr="shared",
        encoder_lr_scale=0.1,
    )
    return settings._replace(distilled=own, outer=settings.outer._replace(num_steps=4))


def started_at(settings: Settings, per_class: int, tmp_path, reporter):
    own = settings._replace(distilled=settings.distilled._replace(per_class=per_class))
    bench = open_bench(task_of(own, reporter, tmp_path), ("train",))
    return bench, initial_phi(bench, own.distilled.synthetic(2, own.seed))


def vectors_of(bench, phi) -> torch.Tensor:
    """What the pretrained encoder hands to a head for each sample."""
    x = phi["x"].detach()
    return bench.encoder.pooled(x, torch.ones(x.shape[:2], dtype=torch.bool))


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_samples_have_the_features_of_class_means_further_from_the_centre(
    started, tmp_path, reporter, pooling
) -> None:
    chosen = started._replace(model=started.model._replace(pooling=pooling))
    bench, phi = started_at(chosen, 1, tmp_path, reporter)
    train = bench.splits["train"]
    vectors = features_of(bench.learner, train, "fp32")
    means = torch.stack([vectors[train.labels == label].mean(0) for label in range(2)])
    centre = means.mean(0)
    found = vectors_of(bench, phi)
    wanted = centre + 2 * (means - centre)
    # A layer norm bounds the length of a vector, so that not every place can be reached.
    assert (found - wanted).norm() < 0.35 * (means - centre).norm()
    assert {stage for stage, *_ in reporter.stages} >= {
        "reading for class means",
        "matching class means",
    }


def test_several_samples_of_a_class_start_apart(started, tmp_path, reporter) -> None:
    bench, phi = started_at(started, 3, tmp_path, reporter)
    found = vectors_of(bench, phi)
    distances = torch.pdist(found)
    assert len(found) == 6
    assert distances.min() > 1e-3


@pytest.mark.parametrize("kind", ["real", "class_means"])
def test_a_class_with_fewer_rows_than_samples_has_some_twice(
    started, tmp_path, reporter, kind
) -> None:
    own = started._replace(distilled=started.distilled._replace(x_init=kind))
    _, phi = started_at(own, 40, tmp_path, reporter)
    assert phi["x"].shape == (80, 6, 16)
    assert phi["x"].isfinite().all()


@pytest.mark.parametrize("kind", ["real", "class_means"])
def test_a_class_without_a_row_is_named(started, tmp_path, reporter, kind) -> None:
    own = started._replace(distilled=started.distilled._replace(x_init=kind))
    bench = open_bench(task_of(own, reporter, tmp_path), ("train",))
    train = bench.splits["train"]
    rest = select_rows(train, (train.labels == 0).nonzero()[:, 0])
    with pytest.raises(StillhouseError, match=f"as {bench.dataset.class_names[1]} has none"):
        initial_phi(bench._replace(splits={"train": rest}), own.distilled.synthetic(2, own.seed))


@pytest.mark.parametrize("kind", ["cls", "all"])
def test_attention_labels_start_as_the_attention_on_the_samples(
    started, tmp_path, reporter, kind
) -> None:
    own = started.distilled._replace(attention_labels=kind, lr=0.5)
    distillation = Distillation(task_of(started._replace(distilled=own), reporter, tmp_path))
    data = materialise(distillation.synthetic, distillation.loop.phi)
    labels = data.attention_labels
    assert isinstance(labels, AttentionLabels)
    theta = distillation.bench.starts.of_outer_step(0)
    with_labels = distillation.inner_loss(data, theta)
    without = distillation.inner_loss(data._replace(attention_labels=None), theta)
    torch.testing.assert_close(with_labels, without)  # the divergence is 0 there


def test_the_rate_that_is_found_gains_nearly_as_much_as_the_best(
    started, tmp_path, reporter, monkeypatch
) -> None:
    tried, untrained = {}, []
    original = searching._loss

    def noted(trials, data, lanes):
        untrained[:] = [sum(trial.loss(trial.theta) for trial in trials)]
        tried[round(data.lrs[0].item(), 6)] = loss = original(trials, data, lanes)
        return loss

    monkeypatch.setattr(searching, "_loss", noted)
    distillation = Distillation(task_of(started, reporter, tmp_path))
    rate = distillation.loop.phi["log_lr"].exp().item()
    (start,) = untrained
    gain = start - min(tried.values())
    best = min(rate for rate, loss in tried.items() if start - loss >= 0.9 * gain)
    assert gain > 0
    assert rate == pytest.approx(best)
    place = [round(each, 6) for each in searching.FIRST_RATES].index(best)
    below = searching.FIRST_RATES[max(0, place - 1)]
    assert round(below, 6) in tried
    assert any("the first inner rate" in line for _, line in reporter.lines)


@pytest.mark.parametrize(
    ("losses", "wanted"),
    [
        # Where a step gains little the losses are alike, and yet one of them is the least.
        ([1.609, 1.608, 1.605, 1.597, 1.58, 1.55, 1.69], 5.0),
        ([1.6, 1.5, 1.1, 0.62, 0.6, 0.59, 0.7], 0.5),
        # Rates that overflow lie above those that do not.
        ([1.5, 0.95, 0.9], 0.05),
        ([], 0.015),
    ],
)
def test_the_search_of_a_rate(started, tmp_path, reporter, monkeypatch, losses, wanted) -> None:
    untrained = 1.61
    known = dict(zip(searching.FIRST_RATES, losses, strict=False))

    def known_loss(trials, data, lanes):
        rates = [rate for rate in known if abs(rate - data.lrs[0].item()) < 1e-6]
        return known[rates[0]] if rates else math.inf

    monkeypatch.setattr(searching, "_loss", known_loss)
    monkeypatch.setattr(searching._Trial, "loss", lambda trial, _: untrained / 8)
    distillation = Distillation(task_of(started, reporter, tmp_path))
    assert distillation.loop.phi["log_lr"].exp().item() == pytest.approx(wanted)


def test_an_interrupted_run_starts_once_and_ends_in_the_same_bytes(
    started, tmp_path, reporter
) -> None:
    straight = distill(task_of(started, reporter, tmp_path / "straight"))
    reporter.stages.clear()
    reporter.stop_requested = lambda: reporter.stages[-1][:2] == ("distilling", 2)
    with pytest.raises(Stopped):
        distill(task_of(started, reporter, tmp_path / "broken"))
    reporter.stages.clear()
    broken = distill(task_of(started, reporter, tmp_path / "broken"))
    assert bytes_of(straight.folder) == bytes_of(broken.folder)
    assert {stage for stage, *_ in reporter.stages} == {"loading", "distilling"}


@pytest.mark.parametrize(
    "stage", ["reading for class means", "matching class means", "choosing the first rate"]
)
def test_a_stop_is_heard_before_the_first_step(started, tmp_path, reporter, stage) -> None:
    reporter.stop_requested = lambda: reporter.stages[-1][0] == stage
    with pytest.raises(Stopped):
        distill(task_of(started, reporter, tmp_path))
    assert "distilling" not in {name for name, *_ in reporter.stages}


def test_a_rate_is_not_searched_where_none_is_learned(started, tmp_path, reporter) -> None:
    own = started._replace(distilled=started.distilled._replace(learn_lr="none"))
    with pytest.raises(StillhouseError, match=r"inner\.lr must be > 0"):
        distill(task_of(own, reporter, tmp_path))
