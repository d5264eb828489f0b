"""Wrong labels and outliers in folders, as the public `check` tells them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tlkeras as tl
from tests.conftest import draw_flower, write_flowers
from tlkeras.data.check import Finding, Findings
from tlkeras.errors import BackboneError
from tlkeras.progress import silent
from tlkeras.tasks.trusting.check import to_sheet

MOVED = ("moved_to_iris.png", "moved_to_daisy.png")


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """90 flowers, two roses of which lie in other class folders."""
    folder = write_flowers(tmp_path / "flowers", per_class=30, seed=8)
    rng = np.random.default_rng(90)
    for name in MOVED:
        draw_flower("rose", rng).save(folder / name.split("_")[2][:-4] / name)
    return folder


def of_kind(findings: Findings, kind: str) -> Finding:
    return next(one for one in findings if one.kind == kind)


def checked(data: tl.ImageFolder | Path, backbone: object) -> Findings:
    return tl.check(data, backbone, progress=silent)  # type: ignore[arg-type]


def everything_trained_on(folder: Path) -> tl.ImageFolder:
    return tl.ImageFolder(folder, split=(0.8, 0.2, 0.0))


def test_without_a_backbone_it_is_the_check_of_the_pictures(flower_folder: Path) -> None:
    assert tl.check(flower_folder).to_dict() == tl.ImageFolder(flower_folder).check().to_dict()


def test_moved_pictures_are_suspected_first_and_with_their_class(
    flowers: Path, tiny_backbone: object
) -> None:
    found = of_kind(checked(everything_trained_on(flowers), tiny_backbone), "suspected-label")
    assert {path.name for path in found.paths[:2]} == set(MOVED)
    assert all(" → rose (" in detail for detail in found.details[:2])
    assert found.suggested[:2] == ("rose", "rose")  # type: ignore[attr-defined]
    assert len(found.paths) <= 12


def test_decided_labels_are_not_suspected_again(flowers: Path, tiny_backbone: object) -> None:
    data = everything_trained_on(flowers)
    one, other = (flowers / name.split("_")[2][:-4] / name for name in MOVED)
    data.corrections.relabel(one, "rose")
    data.corrections.relabel(other, "daisy", "looked at")
    again = checked(everything_trained_on(flowers), tiny_backbone)
    suspects = [path for found in again if found.kind == "suspected-label" for path in found.paths]
    assert one not in suspects
    assert other not in suspects


def test_test_part_is_left_alone(flowers: Path, tiny_backbone: object) -> None:
    data = tl.ImageFolder(flowers, split=(0.4, 0.1, 0.5))
    kinds = ("suspected-label", "outlier")
    told = {
        path
        for found in checked(data, tiny_backbone)
        if found.kind in kinds
        for path in found.paths
    }
    assert not told.intersection(data.test.paths)


def test_few_pictures_are_told_to_be_too_few(tmp_path: Path, tiny_backbone: object) -> None:
    folder = write_flowers(tmp_path / "few", per_class=4)
    found = of_kind(checked(folder, tiny_backbone), "labels-unknown")
    assert "20 pictures" in found.message


def test_arrays_are_checked_and_shown_too(tiny_backbone: object) -> None:
    rng = np.random.default_rng(2)
    kinds = [kind for kind in ("daisy", "iris", "rose") for _ in range(20)]
    pictures = [np.asarray(draw_flower(kind, rng).convert("RGB")) for kind in kinds]
    labels = ["iris", *kinds[1:]]
    data = tl.ImageFolder.from_arrays(pictures, labels, split=(0.8, 0.2, 0.0))
    findings = checked(data, tiny_backbone)
    found = of_kind(findings, "suspected-label")
    assert "→ daisy" in found.details[0]
    assert "data:image/jpeg" in to_sheet(findings, data)


def test_a_classifier_lends_its_backbone(flower_folder: Path, tiny_backbone: object) -> None:
    data = tl.ImageFolder(flower_folder)
    by_model = checked(data, tiny_backbone).to_dict()
    assert checked(data, tl.ImageClassifier(tiny_backbone)).to_dict() == by_model  # type: ignore[arg-type]


def test_unknown_backbone_lists_close_names(flower_folder: Path) -> None:
    with pytest.raises(BackboneError, match="MobileNetV2"):
        tl.check(flower_folder, "MobilNetV2")


def test_sheet_is_a_page_without_scripts(flowers: Path) -> None:
    shutil.copy(flowers / "rose" / "rose_01.jpg", flowers / "rose" / "copy.jpg")
    Image.new("RGB", (9, 300)).save(flowers / "iris" / "thin.png")
    data = tl.ImageFolder(flowers)
    page = to_sheet(tl.check(data), data, "Flowers <b>")
    assert page.startswith("<!doctype html>")
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "Flowers &lt;b&gt;" in page
    assert page.count("<figure>") >= 3


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("cats_dogs", 8), ("clothing_small", 5)])
def test_wrong_labels_stand_at_the_top_of_real_pictures(
    name: str, least: int, shared_data: Path
) -> None:
    from benchmarks.trust.wrong_labels import BACKBONES, SETS, found

    make, top = SETS[name]
    folder, weights = make(shared_data, 0), shared_data / BACKBONES["MobileNetV2-0.35"]
    runs = [found(folder, "MobileNetV2-0.35", weights, top, seed) for seed in range(5)]
    assert np.mean([run["in_first"] for run in runs]) >= least
