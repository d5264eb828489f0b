"""Is transfer right: on labels by chance, by brightness alone, and on real pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tlkeras as tl
from benchmarks.probe import BACKBONE, WEIGHTS, cats_dogs
from tests.conftest import write_flowers
from tlkeras.errors import DataError
from tlkeras.progress import silent


def write_noise(folder: Path, per_class: int, apart: float) -> Path:
    """Noise in classes a and b, of which b is brighter by so many grey levels."""
    rng = np.random.default_rng(0)
    for kind, brighter in (("a", 0.0), ("b", apart)):
        (folder / kind).mkdir(parents=True)
        for number in range(per_class):
            level = 90 + brighter + rng.normal(0, 1)
            noise = np.clip(rng.normal(level, 50, (48, 60, 3)), 0, 255)
            Image.fromarray(noise.astype("uint8")).save(folder / kind / f"{number}.png")
    return folder


@pytest.mark.parametrize("apart", [0.0, 12.0], ids=["by chance", "brightness alone"])
def test_transfer_does_not_help_where_labels_hang_on_no_objects(
    apart: float, tmp_path: Path
) -> None:
    data = tl.ImageFolder(write_noise(tmp_path / "noise", 40, apart))
    found = tl.compare_with_scratch(data, "TinyResNet", epochs=0, progress=silent)
    assert found.helps is False
    assert found.tells_nothing == (apart == 0)
    if apart:
        assert found.accuracy("pixel statistics").accuracy > 0.95
        assert "Transfer does not help here." in found.verdict


def test_both_networks_of_ones_own_kind_are_trained(tmp_path: Path, tiny_backbone: object) -> None:
    data = tl.ImageFolder(write_flowers(tmp_path / "flowers", per_class=20, seed=6))
    found = tl.compare_with_scratch(data, tiny_backbone, epochs=2, progress=silent)  # type: ignore[arg-type]
    assert found.pretrained is not None
    assert found.pictures == len(data.train) + len(data.validation)
    assert found.trained_out
    assert len(found.pretrained.accuracy) == len(found.untrained[-1].accuracy) == 3
    assert found.pairs[2].n == len(data.validation)
    assert found.size_px == 24
    assert any("took" in note for note in found.notes)


def test_no_validation_part_means_probes_only(tmp_path: Path) -> None:
    folder = write_flowers(tmp_path / "flowers", per_class=12, seed=7)
    data = tl.ImageFolder(folder, split=(0.8, 0.0, 0.2))
    found = tl.compare_with_scratch(data, "TinyResNet", progress=silent)
    assert found.pretrained is None
    assert "no validation part" in found.notes[0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"minutes": 0}, "minutes is expected above 0"),
        ({"epochs": -1}, "epochs is expected as a whole number"),
        ({"epochs": 2.5}, "Received: 2.5"),
    ],
)
def test_wrong_numbers_are_told(given: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        tl.compare_with_scratch("nowhere", **given)  # type: ignore[arg-type]


@pytest.mark.slow
def test_transfer_helps_on_real_pictures(shared_data: Path) -> None:
    data = cats_dogs(shared_data, 0)
    weights = shared_data / WEIGHTS
    found = tl.compare_with_scratch(data, BACKBONE, weights=weights, epochs=0, progress=silent)
    assert found.helps is True
    assert found.start == "yes"
    assert found.accuracy("pretrained backbone").accuracy > 0.92
    assert found.accuracy("untrained backbone").accuracy < 0.75
    assert found.verdict.startswith("Transfer helps here.")
