"""Learners that are not trained as the distilled data says."""

import pytest
import torch
from tasks_of import run as run_task
from tasks_of import task_of

from stillhouse_worker.artifacts import load_artifact
from stillhouse_worker.context.bench import open_bench
from stillhouse_worker.context.reporting import Silent, Stopped
from stillhouse_worker.context.variation import Variation
from stillhouse_worker.distillation.inner import InnerLoss, StagedInnerLoss, train_learner
from stillhouse_worker.errors import StillhouseError
from stillhouse_worker.evaluation.rate_search import ADAM_LRS, SGD_LRS
from stillhouse_worker.evaluation.varied_training import (
    Training,
    _within,
    check_fit_of_encoder,
    decoded,
    labelled,
    train_varied,
    with_real_samples,
)
from stillhouse_worker.learners import draw_head, learner_params
from stillhouse_worker.models.catalog import model_fingerprint
from stillhouse_worker.seeding import generator
from stillhouse_worker.tasks import evaluate_varied as module
from stillhouse_worker.tasks.distill import distill

SEEDS = [11, 12]


@pytest.fixture(scope="session", params=["cls", "all"])
def distilled_settings(settings, request):
    return settings._replace(
        distilled=settings.distilled._replace(
            num_steps=2, attention_labels=request.param, lr_decay=0.5
        ),
        outer=settings.outer._replace(num_steps=2),
        validations=1,
    )


@pytest.fixture(scope="session")
def artifact(distilled_settings, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("distilled")
    return str(distill(task_of(distilled_settings, Silent(), folder)).folder)


def run(variation, settings, artifact, folder, reporter):
    return run_task("evaluate", settings, SEEDS, artifact, folder, reporter, variation)


def trained(variation, artifact, encoder, training=None):
    loaded = load_artifact(artifact)
    inner = loaded.manifest["inner_loss"]
    loss = InnerLoss(encoder, inner["attention_lambda"], inner["attention_reduction"])
    data = labelled(variation, loaded.data)
    head = draw_head(encoder.config.width, 2, "default", generator(11, "test head"))
    theta = learner_params(encoder, head)
    varied = train_varied(variation, loss, training or Training(data), theta, 11)
    return varied, train_learner(loss, data, theta)


def differs(one, other) -> bool:
    return any(not torch.equal(one[name], other[name]) for name in one)


def test_an_empty_variation_is_the_plain_evaluation(
    distilled_settings, artifact, tmp_path, reporter
) -> None:
    plain = run_task("evaluate", distilled_settings, SEEDS, artifact, tmp_path / "a", reporter)
    varied = run(Variation(), distilled_settings, artifact, tmp_path / "b", reporter)
    for one, other in zip(plain.inits, varied.inits, strict=True):
        assert one._replace(train_time_s=0.0) == other._replace(train_time_s=0.0)
    assert plain[1:] == varied[1:]


@pytest.mark.parametrize(
    ("variation", "gd_steps"),
    [
        (Variation(steps=1), 1),
        (Variation(steps=5), 5),
        (Variation(batch_size=1), 4),
        (Variation(batch_size=1, shuffled=True), 4),
        (Variation(head_init="normal"), 2),
        (Variation(without_attention_labels=True), 2),
        (Variation(hard_labels=True, without_attention_labels=True, searches_lr=True), 2),
        (Variation(optimiser="adam", searches_lr=True), 2),
        (Variation(samples="decoded"), 2),
        (Variation(samples="random", searches_lr=True), 2),
        (Variation(samples="herding", searches_lr=True), 2),
    ],
)
def test_every_variation_is_measured(
    distilled_settings, artifact, tmp_path, reporter, variation, gd_steps
) -> None:
    outcome = run(variation, distilled_settings, artifact, tmp_path / "e", reporter)
    assert [entry.init_seed for entry in outcome.inits] == SEEDS
    assert (outcome.train_samples, outcome.gd_steps) == (2, gd_steps)
    tried = ADAM_LRS if variation.optimiser == "adam" else SGD_LRS
    scores = [value for name, _, value in reporter.metrics if name == "validation_accuracy"]
    assert outcome.chosen_lr == (tried[scores.index(max(scores))] if variation.searches_lr else 0)


def test_more_steps_begin_again_with_the_first_rate(artifact, tiny_encoder) -> None:
    data = load_artifact(artifact).data
    more = labelled(Variation(steps=5), data)
    assert torch.equal(more.lrs, data.lrs[[0, 1, 0, 1, 0]])
    assert torch.equal(labelled(Variation(steps=1), data).lrs, data.lrs[:1])


def test_all_samples_in_one_batch_in_any_order_are_the_plain_learner(
    artifact, tiny_encoder
) -> None:
    varied, plain = trained(Variation(shuffled=True, batch_size=2), artifact, tiny_encoder)
    for name in plain:
        torch.testing.assert_close(varied[name], plain[name])
    one_by_one, _ = trained(Variation(batch_size=1), artifact, tiny_encoder)
    assert differs(one_by_one, plain)


def test_adam_moves_by_the_rate_in_its_first_step(artifact, tiny_encoder) -> None:
    variation = Variation(optimiser="adam", steps=1)
    data = labelled(variation, load_artifact(artifact).data)
    data = data._replace(lrs=torch.tensor([1e-3]))
    varied, _ = trained(variation, artifact, tiny_encoder, Training(data))
    head = draw_head(tiny_encoder.config.width, 2, "default", generator(11, "test head"))
    moved = (varied["head.out.weight"] - head["head.out.weight"]).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 1e-3), rtol=1e-2, atol=1e-6)


def test_masked_positions_equal_a_shorter_sample(artifact, tiny_encoder) -> None:
    data = load_artifact(artifact).data.map(lambda part: part.clone())
    mask = torch.ones(2, 6, dtype=torch.bool)
    mask[:, 4:] = False
    config = tiny_encoder.config
    labels = data.attention_labels
    padded = data._replace(attention_labels=_within(labels, mask))
    cut = data._replace(
        x=data.x[:, :4],
        attention_labels=labels.map(lambda part: part[..., :4, :4].log_softmax(-1)),
    )
    variation = Variation()
    head = draw_head(config.width, 2, "default", generator(3, "test head"))
    theta = learner_params(tiny_encoder, head)
    # Attention labels of all tokens are not weighed: the number of queries in their mean differs.
    loss = StagedInnerLoss(tiny_encoder, 1.0 if labels.kind == "cls" else 0.0, "keys")
    one = train_varied(variation, loss, Training(padded, mask), theta, 3)
    other = train_varied(variation, loss, Training(cut), theta, 3)
    for name in one:
        torch.testing.assert_close(one[name], other[name])


def test_real_samples_replace_distilled_ones(
    distilled_settings, artifact, reporter, tmp_path
) -> None:
    bench = open_bench(task_of(distilled_settings, reporter, tmp_path), ("train",))
    data = load_artifact(artifact).data
    rows = torch.tensor([0, 1])
    training = with_real_samples(data, bench, rows)
    assert training.mask is not None
    length = training.mask.shape[1]
    assert length <= data.x.shape[1]
    assert torch.equal(training.data.class_labels, data.class_labels)
    shares = training.data.attention_labels.log_probabilities.exp()
    assert shares.shape[-1] == length
    first = shares[..., 0, :]
    beyond = ~training.mask[:, None, None].expand_as(first)
    assert torch.all(first[beyond] == 0)
    torch.testing.assert_close(first.sum(-1), torch.ones(first.shape[:-1]))
    with pytest.raises(StillhouseError, match="too few rows"):
        with_real_samples(data, bench, rows[:1])


def test_a_row_of_attention_labels_weighs_the_same_for_a_short_text(
    distilled_settings, artifact, reporter, tmp_path
) -> None:
    loaded = load_artifact(artifact)
    bench = open_bench(task_of(distilled_settings, reporter, tmp_path), ("train",))
    variation = Variation(samples="random")
    own = module._Learners(bench, variation, loaded).loss
    loss = StagedInnerLoss(**vars(own))
    block = loaded.data.attention_labels.of_block(0)
    short = block[:, :, :3, :3]
    # A block's labels have one row per query, so the rows are counted without the axis of keys.
    per_row, per_short_row = (
        loss.attention_weight(labels) * labels[..., 0].numel() for labels in (block, short)
    )
    assert per_short_row == pytest.approx(per_row)


def test_decoding_real_texts_gives_them_back(tiny_encoder) -> None:
    ids = torch.tensor([[2, 7, 9, 3], [2, 11, 5, 3]])
    x = tiny_encoder.embed(ids, torch.zeros_like(ids))
    torch.testing.assert_close(decoded(tiny_encoder, x), x)


def test_the_distilled_data_trains_another_encoder(
    distilled_settings, artifact, tiny_distilbert, tmp_path, reporter
) -> None:
    fingerprint = model_fingerprint(tiny_distilbert).whole
    variation = Variation(model=str(tiny_distilbert), model_fingerprint=fingerprint)
    outcome = run(variation, distilled_settings, artifact, tmp_path / "e", reporter)
    assert len(outcome.inits) == len(SEEDS)
    stale = variation._replace(model_fingerprint="0" * 64)
    with pytest.raises(StillhouseError, match="has changed since the experiment was created"):
        run(stale, distilled_settings, artifact, tmp_path / "stale", reporter)


def test_an_encoder_that_does_not_fit_is_refused_by_its_size(artifact, tiny_encoder) -> None:
    data = load_artifact(artifact).data
    wider = tiny_encoder.config._replace(width=32)
    with pytest.raises(StillhouseError, match="its width is 32, not 16"):
        check_fit_of_encoder(Variation(model="wide"), data, wider)
    deeper = tiny_encoder.config._replace(num_layers=3)
    with pytest.raises(StillhouseError, match="for 2 layers and 2 heads"):
        check_fit_of_encoder(Variation(model="deep"), data, deeper)
    without = labelled(Variation(without_attention_labels=True), data)
    check_fit_of_encoder(Variation(model="deep"), without, deeper)
    assert without.attention_labels is None


def test_no_variation_reads_rows_that_it_does_not_need(
    distilled_settings, artifact, tmp_path, reporter, monkeypatch
) -> None:
    opened = []

    def noting(settings, splits):
        opened.append(tuple(splits))
        return open_bench(settings, splits)

    monkeypatch.setattr(module, "open_for_learners", noting)
    for number, variation in enumerate(
        [
            Variation(steps=1),
            Variation(hard_labels=True, searches_lr=True),
            Variation(samples="kcenter", searches_lr=True),
        ]
    ):
        run(variation, distilled_settings, artifact, tmp_path / str(number), reporter)
    assert opened == [("test",), ("validation", "test"), ("train", "validation", "test")]


def test_an_interrupted_variation_gives_the_same_learners(
    distilled_settings, artifact, tmp_path, reporter, make_reporter
) -> None:
    variation = Variation(samples="herding", searches_lr=True)
    straight = run(variation, distilled_settings, artifact, tmp_path / "straight", reporter)
    for stops in range(100):
        try:
            outcome = run(
                variation, distilled_settings, artifact, tmp_path / "broken", make_reporter(stops)
            )
            break
        except Stopped:
            pass
    assert stops >= 3
    assert [entry[:5] for entry in outcome.inits] == [entry[:5] for entry in straight.inits]
    assert outcome[1:] == straight[1:]
