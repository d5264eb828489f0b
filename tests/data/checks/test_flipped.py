import shutil

import numpy as np
import pytest
from PIL import Image, ImageOps

from tlkeras.data.checks.findings import Finding
from tlkeras.data.folder import ImageFolder


def kinds(data: ImageFolder) -> dict[str, Finding]:
    return {finding.kind: finding for finding in data.check()}


def mirrored(path, target, **options):
    ImageOps.mirror(Image.open(path)).save(target, **options)


def test_mirror_image_is_found_and_is_no_near_copy(classes):
    root = classes({"a": 16, "b": 16})
    mirrored(root / "a" / "004.png", root / "a" / "turned.jpg", quality=85)
    found = kinds(ImageFolder(root))
    finding = found["flipped-duplicate"]
    assert {path.name for path in finding.paths} == {"004.png", "turned.jpg"}
    assert "2 pictures in 1 set" in finding.message
    assert "near-duplicate" not in found
    assert all(detail.startswith("set 1, a, ") for detail in finding.details)


def test_clean_set_has_no_mirror_images(classes):
    assert "flipped-duplicate" not in kinds(ImageFolder(classes({"a": 40, "b": 40})))


def test_picture_upside_down_is_no_mirror_image(classes):
    root = classes({"a": 16, "b": 16})
    ImageOps.flip(Image.open(root / "a" / "004.png")).save(root / "a" / "flip.png")
    assert "flipped-duplicate" not in kinds(ImageFolder(root))


def test_copies_of_a_symmetric_picture_are_no_mirror_images(classes, draw):
    root = classes({"a": 16, "b": 16})
    half = draw(70, 41, 34)
    Image.fromarray(np.concatenate([half, half[:, ::-1]], axis=1)).save(root / "a" / "s.png")
    shutil.copy(root / "a" / "s.png", root / "a" / "t.png")
    found = kinds(ImageFolder(root))
    assert "duplicate" in found
    assert "flipped-duplicate" not in found


def test_mirror_images_across_the_split_are_a_warning(classes, tmp_path):
    classes({"a": 12, "b": 12}, "set/train")
    classes({"a": 3, "b": 3}, "set/val", 100)
    classes({"a": 3, "b": 3}, "set/test", 200)
    root = tmp_path / "set"
    mirrored(root / "test" / "a" / "000.png", root / "train" / "a" / "turned.png")
    finding = kinds(ImageFolder(root))["flipped-duplicate"]
    assert finding.severity == "warning"
    assert "1 of them with pictures in several parts" in finding.message


def test_near_copies_and_mirror_images_are_one_set_and_equal_files_count_once(classes):
    root = classes({"a": 24, "b": 24})
    original = root / "a" / "004.png"
    shutil.copy(original, root / "a" / "same.png")
    Image.open(original).save(root / "a" / "near.jpg", quality=90)
    mirrored(original, root / "a" / "turned.png")
    (root / "b" / "gone.png").write_bytes(b"")  # rows and files are counted apart
    finding = kinds(ImageFolder(root))["flipped-duplicate"]
    assert "in 1 set" in finding.message
    assert {path.name for path in finding.paths} == {"004.png", "near.jpg", "turned.png"}


def test_mirror_images_are_found_among_more_than_are_compared_each_with_each(draw):
    images = [draw(seed, 37, 45) for seed in range(300)]
    images += [images[number][:, ::-1] for number in (5, 150, 299)]
    finding = kinds(ImageFolder.from_arrays(images, [0, 1, 2] * 101))["flipped-duplicate"]
    names = {path.name for path in finding.paths}
    assert names == {f"{number:06}" for number in (5, 150, 299, 300, 301, 302)}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clothing_small", "cats_dogs"])
def test_fifty_planted_copies_are_found_and_none_straddles(shared_data, tmp_path, name):
    from benchmarks.trust.duplicates import NEAR, measured

    outcome = measured(shared_data / "datasets" / name, tmp_path / name, seed=0)
    assert sum(outcome.planted[kind] for kind in NEAR) == 50
    assert sum(outcome.found[kind] for kind in NEAR) >= 48
    assert outcome.found["flipped"] >= 48
    assert outcome.false_near + outcome.false_flipped <= 2
    assert outcome.straddling == 0
