"""Pictures that an export is proven on: the validation part's, as they are on disk now."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from tlkeras.tasks.proof import PICTURES_TO_VERIFY, pictures_at_hand


@pytest.fixture
def files(flower_folder: Path, tmp_path: Path) -> list[Path]:
    """36 files whose bytes differ, copied."""
    return [
        Path(shutil.copy(path, tmp_path / f"{number}{path.suffix}"))
        for number, path in enumerate(sorted(flower_folder.glob("*/*")))
    ]


def fitted(**parts: list[Path]) -> SimpleNamespace:
    rows = [{"path": str(path), "part": part} for part, paths in parts.items() for path in paths]
    return SimpleNamespace(manifest=rows)


def test_validation_pictures_come_first_and_others_fill_up(files: list[Path]) -> None:
    shown = pictures_at_hand(fitted(train=files[20:], test=files[10:20], validation=files[:10]))
    assert len(shown) == PICTURES_TO_VERIFY
    assert {*shown[:10]} == {path.read_bytes() for path in files[:10]}
    assert {*shown[10:20]} == {path.read_bytes() for path in files[10:20]}


def test_they_are_of_the_whole_part_not_of_its_first_classes(files: list[Path]) -> None:
    shown = pictures_at_hand(fitted(validation=files))
    kinds = [{path.read_bytes() for path in files[start : start + 12]} for start in (0, 12, 24)]
    assert all(len(kind.intersection(shown)) >= 5 for kind in kinds)


def test_files_that_moved_or_broke_are_passed_over(files: list[Path]) -> None:
    files[0].unlink()
    files[1].write_bytes(b"broken")
    shown = pictures_at_hand(fitted(validation=files[:4]))
    assert {*shown} == {path.read_bytes() for path in files[2:4]}


def test_none_are_taken_if_serving_decodes_none(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), (200, 30, 60)).save(tmp_path / "a.webp")
    assert pictures_at_hand(fitted(validation=[tmp_path / "a.webp"])) == []
