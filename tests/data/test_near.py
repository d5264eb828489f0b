"""The cut space gives the same verdicts as comparing each picture with each."""

import numpy as np
import pytest
from PIL import Image

from tlkeras.data.duplicates import clusters, near, small_versions


def each_with_each(dhashes: np.ndarray, thumbnails: np.ndarray) -> set[tuple[int, int]]:
    """Pairs of near copies, by the definition alone."""
    bits = np.unpackbits(dhashes, axis=1).astype(int)
    flat = thumbnails.reshape(len(bits), -1).astype(int)
    found = set()
    for one in range(len(bits)):
        later = np.arange(one + 1, len(bits))
        apart = flat[later] - flat[one]
        same = (np.abs(bits[later] - bits[one]).sum(1) <= 24) & (np.abs(apart).mean(1) <= 4)
        same &= np.abs(apart).max(1) <= 32
        same &= apart.std(1) <= max(1.0, 0.2 * flat[one].std())
        found |= {(one, int(other)) for other in later[same]}
    return found


def scene(rng: np.random.Generator, strength: float) -> np.ndarray:
    coarse = (rng.uniform(60, 190) + strength * rng.normal(size=(5, 7, 3))).clip(0, 255)
    small = Image.fromarray(coarse.astype(np.uint8))
    return np.asarray(small.resize((57, 43), Image.Resampling.BICUBIC))


def family(strength: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Half strangers, half brighter and noisier copies of them at another size."""
    rng = np.random.default_rng(3)
    made = [scene(rng, strength) for _ in range(count // 2)]
    for picture in made[:]:
        changed = picture + rng.integers(-2, 5) + rng.integers(-3, 4, picture.shape)
        copy = Image.fromarray(changed.clip(0, 255).astype(np.uint8)).resize((40, 30))
        made.append(np.asarray(copy))
    thumbnails, bits = zip(*(small_versions(picture) for picture in made), strict=True)
    return np.stack(thumbnails), np.stack(bits)


@pytest.mark.parametrize("strength", [60.0, 20.0, 4.0])
def test_no_pair_is_lost_by_cutting(strength, monkeypatch):
    monkeypatch.setattr(near, "_FEW", 12)
    thumbnails, bits = family(strength, 400)
    pairs = each_with_each(bits, thumbnails)
    assert len(pairs) > 20
    found = clusters(np.arange(400, dtype=">u8").repeat(4).view(np.uint8).reshape(400, 32), bits,
                     thumbnails)  # fmt: skip
    linked = np.arange(400)
    for one, other in sorted(pairs):
        linked[linked == linked[other]] = linked[one]
    assert len(set(found.tolist())) == len(set(linked.tolist()))
    assert all(found[one] == found[other] for one, other in pairs)


def test_cutting_saves_most_comparisons():
    thumbnails, _ = family(60.0, 3000)
    means, contrast = near._means(thumbnails, np.arange(3000))
    compared = sum(len(some) ** 2 for some in near._neighbourhoods(means, contrast))
    assert compared < 3000**2 / 3


def test_hundreds_of_frames_of_one_scene_are_one_cluster():
    rng = np.random.default_rng(0)
    base = small_versions(scene(rng, 50.0))[0].astype(int)
    frames = (base + rng.integers(-1, 2, (700, 16, 16, 3))).clip(0, 255).astype(np.uint8)
    bits = np.stack([small_versions(frame)[1] for frame in frames])
    assert clusters([f"{row:03}" for row in range(700)], bits, frames).max() == 0


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_reduced_picture_has_the_same_small_version(scale):
    rng = np.random.default_rng(1)
    whole = np.asarray(
        Image.fromarray(scene(rng, 60.0)).resize((521, 389), Image.Resampling.BICUBIC)
    )
    padded = np.pad(whole, ((0, -389 % scale), (0, -521 % scale), (0, 0)), mode="edge")
    rows, columns = padded.shape[0] // scale, padded.shape[1] // scale
    reduced = padded.reshape(rows, scale, columns, scale, 3).mean((1, 3)).round().astype(np.uint8)
    box = (0, 0, 389 / scale, 521 / scale)
    thumbnail, bits = small_versions(whole)
    again, other_bits = small_versions(reduced, box)
    assert np.abs(thumbnail.astype(int) - again).max() <= 2
    assert np.unpackbits(bits ^ other_bits).sum() <= 8
