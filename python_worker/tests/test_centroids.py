"""K-means centroids of each class, and the nearest of a few samples."""

import torch

from stillhouse_worker.evaluation.centroids import class_centroids, k_means
from stillhouse_worker.evaluation.nearest_neighbours import (
    NearestNeighbours,
    searched_neighbours,
)
from stillhouse_worker.seeding import generator


def draws(seed: int = 0) -> torch.Generator:
    return generator(seed, "test")


def test_groups_that_are_far_apart_are_found() -> None:
    middles = torch.tensor([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0]])
    noise = torch.randn(60, 2, generator=draws())
    rows = middles.repeat(20, 1) + noise
    for seed in range(5):
        found = k_means(rows, 3, draws(seed))
        nearest = torch.cdist(middles, found).argmin(1)
        means = torch.stack([rows[index::3].mean(0) for index in range(3)])
        torch.testing.assert_close(found[nearest], means)


def test_one_centroid_is_the_mean_of_its_class() -> None:
    vectors = torch.randn(30, 4, generator=draws())
    labels = torch.arange(30) % 3
    found, classes = class_centroids(vectors, labels, [2, 0], draws())
    assert classes.tolist() == [2, 0]
    means = torch.stack([vectors[labels == label].mean(0) for label in (2, 0)])
    torch.testing.assert_close(found, means)


def test_centroids_come_in_the_order_of_the_classes_as_far_as_there_are_rows() -> None:
    vectors = torch.tensor([[0.0], [10.0], [5.0]])
    labels = torch.tensor([0, 0, 1])
    found, classes = class_centroids(vectors, labels, [0, 1, 0, 1, 0], draws())
    assert classes.tolist() == [0, 1, 0]
    assert found[1].item() == 5
    assert sorted(found[classes == 0].flatten().tolist()) == [0, 10]


def test_equal_rows_still_give_as_many_centroids() -> None:
    assert torch.equal(k_means(torch.ones(4, 2), 3, draws()), torch.ones(3, 2))


def test_the_nearest_samples_decide_and_ties_go_to_the_nearer_class() -> None:
    vectors, labels = torch.tensor([[0.0], [2.0], [3.0], [9.0]]), torch.tensor([0, 1, 1, 0])
    features = torch.tensor([[0.5]])

    def decided(count: int) -> int:
        classifier = NearestNeighbours(vectors, labels, torch.tensor(count))
        return int(classifier.logits(features, 2).argmax(-1))

    assert [decided(count) for count in (1, 2, 3, 4)] == [0, 0, 1, 0]
    near = NearestNeighbours(vectors, labels, torch.tensor(1)).logits(features, 3)
    assert near.isfinite().all()


def test_the_number_of_neighbours_is_the_best_on_validation() -> None:
    # The sample nearest to the rows of class 1 has the wrong label.
    vectors = torch.tensor([[0.0], [1.0], [1.2], [1.4]])
    samples = (vectors, torch.tensor([0, 0, 1, 1]))
    validation = (torch.tensor([[1.05], [1.3]]), torch.tensor([1, 1]))
    assert int(searched_neighbours(samples, validation, 2).num_deciding) == 3
    # Of equals the least, and never more than there are samples.
    easy = (torch.tensor([[1.3]]), torch.tensor([1]))
    assert int(searched_neighbours(samples, easy, 2).num_deciding) == 1
