"""Real images that are moved and flipped while they are trained on."""

import torch
import torch.nn.functional as F

from stillhouse_worker.datasets.augmentation import augmented, moved
from stillhouse_worker.datasets.batching import Batch, TokenSplit
from stillhouse_worker.datasets.pixel_batches import PixelSplit
from stillhouse_worker.seeding import generator


def images(count: int = 12, side: int = 16) -> torch.Tensor:
    draws = generator(0, "test")
    return torch.randint(256, (count, 3, side, side), dtype=torch.uint8, generator=draws)


def draws() -> torch.Generator:
    return generator(1, "test")


def test_a_moved_image_is_a_crop_of_the_mirrored_one() -> None:
    pixels, down, right = images(4), torch.tensor([0, 2, -2, 1]), torch.tensor([0, -1, 2, 2])
    flips = torch.tensor([False, False, True, True])
    found = moved(pixels, down, right, flips)
    padded = F.pad(pixels.float(), (4, 4, 4, 4), mode="reflect")
    for index, image in enumerate(padded):
        top, left = 4 - int(down[index]), 4 - int(right[index])
        crop = image[:, top : top + 16, left : left + 16]
        expected = crop.flip(-1) if flips[index] else crop
        assert torch.equal(found[index].float(), expected)


def test_how_a_row_is_varied_does_not_depend_on_the_others_of_its_batch() -> None:
    split = PixelSplit(images(), torch.arange(12) % 2)
    together = augmented(split, torch.tensor([3, 7, 9]), "crop_flip", draws())
    alone = augmented(split, torch.tensor([7]), "crop_flip", draws())
    assert torch.equal(together.inputs[0][1:2], alone.inputs[0])
    assert together.labels.tolist() == [1, 1, 1]
    assert together.inputs[0].dtype == torch.uint8


def test_rows_are_varied_by_up_to_an_eighth_and_anew_each_time() -> None:
    split = PixelSplit(images(200), torch.zeros(200, dtype=torch.int64))
    rows, stream = torch.arange(200), draws()
    first, second = (augmented(split, rows, "crop_flip", stream).inputs[0] for _ in range(2))
    assert not torch.equal(first, second)
    places = [
        (down, right, flip)
        for down in range(-2, 3)
        for right in range(-2, 3)
        for flip in (False, True)
    ]
    seen = set()
    for place in places:
        down, right = (torch.full((200,), shift) for shift in place[:2])
        same = moved(split.pixels, down, right, torch.full((200,), place[2]))
        hits = (same == first).flatten(1).all(1)
        seen |= {(int(row), place) for row in hits.nonzero()}
    # Each row is one of the places, and in 200 rows nearly all of them occur.
    assert {row for row, _ in seen} == set(range(200))
    assert len({place for _, place in seen}) > 40


def test_texts_and_images_without_augmentation_are_as_they_are() -> None:
    split = PixelSplit(images(), torch.arange(12))
    plain = augmented(split, torch.tensor([5]), "none", draws())
    assert torch.equal(plain.inputs[0], split.pixels[[5]])
    tokens = TokenSplit(
        torch.tensor([4, 5, 6], dtype=torch.int32),
        torch.zeros(3, dtype=torch.int32),
        torch.tensor([0, 3]),
        torch.tensor([0]),
    )
    batch = augmented(tokens, torch.tensor([0]), "crop_flip", draws())
    assert isinstance(batch, Batch)
    assert batch.input_ids.tolist() == [[4, 5, 6]]
