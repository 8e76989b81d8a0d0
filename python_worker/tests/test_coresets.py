"""Coresets in feature space."""

import torch
from tasks_of import task_of

from stillhouse_worker.context.bench import open_bench
from stillhouse_worker.evaluation import coreset_rows, features_of, logits_of
from stillhouse_worker.evaluation.coresets import herding, k_center
from stillhouse_worker.learners import draw_head, learner_params
from stillhouse_worker.learners.transformer import run_head
from stillhouse_worker.seeding import generator


def test_herding_keeps_the_mean_of_what_it_chose_near_the_mean_of_all() -> None:
    vectors = torch.tensor([[0.0, 0.0], [1.0, 0.0], [4.0, 0.0], [9.0, 0.0], [11.0, 0.0]])
    # The mean is 5. Nearest to it is 4; then 4 + 11 and 4 + 9 + 1 come nearest to 10 and 15.
    assert herding(vectors, 1).tolist() == [2]
    for count in (2, 3, 4, 5):
        chosen = herding(vectors, count).tolist()
        assert len(set(chosen)) == count
    gaps = [
        float((vectors[herding(vectors, count)].mean(0) - vectors.mean(0)).norm())
        for count in (1, 2, 3)
    ]
    assert gaps[-1] < gaps[0]


def test_k_center_begins_in_the_middle_and_goes_to_the_farthest() -> None:
    vectors = torch.tensor([[0.0], [1.0], [4.0], [9.0], [11.0]])
    assert k_center(vectors, 3).tolist() == [2, 4, 0]
    assert sorted(k_center(torch.zeros(3, 2), 3).tolist()) == [0, 1, 2]


def test_a_coreset_has_rows_of_each_class_in_turn() -> None:
    vectors = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(20) % 2
    for kind in ("herding", "kcenter"):
        rows = coreset_rows(kind, vectors, labels, [0] * 3 + [1] * 3)
        assert labels[rows].tolist() == [0, 0, 0, 1, 1, 1]
        assert len(set(rows.tolist())) == 6


def test_features_are_what_the_head_of_an_untrained_learner_gets(
    settings, reporter, tmp_path
) -> None:
    bench = open_bench(task_of(settings, reporter, tmp_path), ("train",))
    head = draw_head(bench.encoder.config.width, 2, "default", generator(0, "test"))
    theta = learner_params(bench.encoder, head)
    vectors = features_of(bench.encoder, bench.splits["train"], "fp32")
    logits = run_head(theta, vectors, None)
    torch.testing.assert_close(logits, logits_of(bench.encoder, theta, bench.splits["train"]))
