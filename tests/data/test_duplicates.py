import io

import numpy as np
import pytest
from PIL import Image

from tlkeras.data.decode import decode
from tlkeras.data.duplicates import clusters, difference_hash, joined, thumbnail


def found(pictures: list[np.ndarray], names: list[str] | None = None) -> list[int]:
    return clusters(
        names or [str(index) for index in range(len(pictures))],
        np.stack([difference_hash(picture) for picture in pictures]),
        np.stack([thumbnail(picture) for picture in pictures]),
    ).tolist()


def recompressed(picture: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=40)
    return decode(buffer.getvalue())


def halved(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return np.asarray(Image.fromarray(picture).resize((width // 2, height // 2)))


def brightened(picture: np.ndarray) -> np.ndarray:
    return np.clip(picture.astype(int) + 3, 0, 255).astype(np.uint8)


COPIES = [recompressed, halved, brightened]


@pytest.mark.parametrize("copy", COPIES)
def test_near_copy_is_found(copy, draw):  # D5
    pictures = [draw(seed, 150, 210) for seed in range(8)]
    numbers = found(pictures + [copy(picture) for picture in pictures])
    assert numbers == [*range(8), *range(8)]


def test_different_pictures_stay_apart(draw):
    assert found([draw(seed) for seed in range(60)]) == list(range(60))


def test_equal_hash_joins_whatever_the_pixels(draw):
    assert found([draw(0), draw(1), draw(2)], ["x", "y", "x"]) == [0, 1, 0]


def test_no_pictures_no_clusters():
    nothing = clusters([], np.zeros((0, 32), np.uint8), np.zeros((0, 16, 16, 3), np.uint8))
    assert nothing.shape == (0,)


def test_pale_pictures_are_not_all_alike():
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(100):
        pale = Image.fromarray((128 + 3 * rng.normal(size=(8, 10))).astype(np.float32))
        level = np.asarray(pale.resize((90, 70), Image.Resampling.BICUBIC))
        pictures.append(np.repeat(level.astype(np.uint8)[..., None], 3, axis=2))
    assert len(set(found(pictures))) == 100


def test_chunks_do_not_change_the_answer(draw, monkeypatch):
    pictures = [draw(seed) for seed in range(12)] * 2
    whole = found(pictures)
    monkeypatch.setattr("tlkeras.data.duplicates.near._CHUNK_BYTES", 4 * 24 * 5)
    assert found(pictures) == whole


@pytest.mark.parametrize("method", [Image.Resampling.NEAREST, Image.Resampling.BILINEAR])
def test_handwritten_digits_do_not_chain(method):
    from sklearn.datasets import load_digits

    digits = (load_digits().images * 15.9).astype(np.uint8)
    pictures = [
        np.repeat(np.asarray(Image.fromarray(digit).resize((32, 32), method))[..., None], 3, axis=2)
        for digit in digits
    ]
    sizes = np.bincount(found(pictures))
    assert sizes.max() <= 3
    assert (sizes > 1).sum() <= 5


@pytest.mark.parametrize("name", ["cats_dogs", "clothing_small"])
def test_real_pictures_hold_few_copies_and_their_copies_are_found(name, shared_data):
    paths = sorted((shared_data / "datasets" / name).rglob("*.jpg"))[::4]
    pictures = [decode(path) for path in paths]
    assert len(set(found(pictures))) >= len(pictures) - 1
    some = pictures[::5]
    for copy in COPIES:
        numbers = found(some + [copy(picture) for picture in some])
        assert np.mean(np.equal(numbers[: len(some)], numbers[len(some) :])) > 0.97


def test_joined_keeps_together_what_either_keeps_together():
    assert joined([0, 1, 2, 3], ["a", "b", "b", "c"], [7, 7, 8, 9]).tolist() == [0, 0, 0, 1]
