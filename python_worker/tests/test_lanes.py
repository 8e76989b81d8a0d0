"""Batches that are read side by side."""

import threading

import pytest
import torch
from library_models import save_library_model
from tasks_of import task_of
from torch import Tensor

from bench._outer_ways import drawn_texts
from stillhouse_worker.datasets import collate
from stillhouse_worker.distillation.outer_loss import outer_losses
from stillhouse_worker.distillation.summed_gradient import summed_gradient
from stillhouse_worker.evaluation import features_of
from stillhouse_worker.evaluation.reading import read_batches
from stillhouse_worker.learners import draw_head, learner_params
from stillhouse_worker.models.opened import load_encoder
from stillhouse_worker.seeding import generator
from stillhouse_worker.tasks.full_training import full_baseline

NUM_CLASSES = 4
CPU = torch.device("cpu")
TEXTS = drawn_texts(100, 16, num_tokens=20, mean_length=9)


@pytest.fixture
def with_threads():
    """Sets the number of threads of PyTorch for a test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_results_are_the_same_with_any_number_of_threads(tiny_encoder, with_threads) -> None:
    vectors = []
    for threads in (1, 2, 5):
        with_threads(threads)
        vectors.append(features_of(tiny_encoder, TEXTS, "fp32"))
        assert torch.get_num_threads() == threads
    assert all(torch.equal(each, vectors[0]) for each in vectors)


def test_every_row_comes_once_longest_first_from_several_threads(
    tiny_encoder, with_threads
) -> None:
    with_threads(3)
    names = set()
    # Broken, and with it the test, if the batches are read one after the other.
    together = threading.Barrier(3, timeout=60)
    waited = threading.Semaphore(3)

    def read(rows: Tensor) -> Tensor:
        if waited.acquire(blocking=False):
            together.wait()
        names.add(threading.current_thread().name)
        assert torch.get_num_threads() == 1
        return TEXTS.lengths[rows]

    found = list(read_batches(tiny_encoder, TEXTS, CPU, read))
    rows, lengths = (torch.cat(parts) for parts in zip(*found, strict=True))
    assert sorted(rows.tolist()) == list(range(100))
    assert (lengths.diff() <= 0).all()
    assert len(names) == 3
    assert threading.current_thread().name not in names


def test_an_error_or_a_stop_ends_all_lanes(tiny_encoder, with_threads) -> None:
    with_threads(2)
    read_rows = []

    def read(rows: Tensor) -> Tensor:
        read_rows.append(len(rows))
        if len(read_rows) == 3:
            raise MemoryError
        return rows

    with pytest.raises(MemoryError):
        list(read_batches(tiny_encoder, TEXTS, CPU, read))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt(f"{done} of {total}")

    with pytest.raises(KeyboardInterrupt, match="16 of 100"):
        features_of(tiny_encoder, TEXTS, "fp32", stop)
    assert threading.active_count() == 1 or not any(
        "ThreadPoolExecutor" in each.name for each in threading.enumerate()
    )
    assert torch.get_num_threads() == 2


def test_modules_of_transformers_read_one_batch_at_a_time(tmp_path, with_threads) -> None:
    with_threads(3)
    words = [f"w{index}" for index in range(20)]
    encoder = load_encoder(save_library_model(tmp_path / "electra", "electra", words))
    threads = {
        thread
        for _, thread in read_batches(
            encoder, TEXTS, CPU, lambda _: threading.current_thread().name
        )
    }
    assert threads == {threading.current_thread().name}


def test_a_gradient_in_lanes_has_the_bytes_of_one_that_is_not(tiny_encoder, with_threads) -> None:
    batch = collate(TEXTS, torch.arange(32))
    head = draw_head(tiny_encoder.config.width, NUM_CLASSES, "default", generator(0, "test"))
    theta = learner_params(tiny_encoder, head)
    entry = tiny_encoder.embed(*batch.inputs).detach()
    parts = outer_losses(tiny_encoder, entry, batch.mask, batch.labels, parts=4)
    with_threads(1)
    loss, grads = summed_gradient(parts, theta, 1)
    for lanes in (2, 3, 4):
        with_threads(lanes)
        in_lanes, own = summed_gradient(parts, theta, lanes)
        assert torch.equal(in_lanes, loss)
        assert all(torch.equal(*pair) for pair in zip(own, grads, strict=True))
    whole = summed_gradient(outer_losses(tiny_encoder, entry, batch.mask, batch.labels), theta, 1)
    torch.testing.assert_close([loss, *grads], [whole[0], *whole[1]])
    assert all(parameter.grad is None for parameter in theta.values())


def test_a_learner_on_all_rows_is_the_same_with_any_number_of_threads(
    settings, reporter, tmp_path, with_threads
) -> None:
    own = settings._replace(full=settings.full._replace(batch_size=16, epochs=1))
    figures = []
    for threads in (1, 3):
        with_threads(threads)
        task = task_of(own, reporter, tmp_path / str(threads), init_seeds=[0])
        outcome = full_baseline(task)
        figures.append([each.loss for each in outcome.inits])
    assert figures[0] == figures[1]
