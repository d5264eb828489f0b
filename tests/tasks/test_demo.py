from pathlib import Path

import pytest

from tlkeras.errors import DataError
from tlkeras.tasks.demo import run_demo, write_digits


def test_digits_are_written_once_as_class_folders(tmp_path: Path) -> None:
    folder = write_digits(tmp_path / "digits")
    first = (folder / "3" / "000.png").stat().st_mtime_ns
    assert sorted(path.name for path in folder.iterdir()) == [str(digit) for digit in range(10)]
    assert len(list(folder.rglob("*.png"))) == 1500
    write_digits(folder)
    assert (folder / "3" / "000.png").stat().st_mtime_ns == first


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_text("mine")
    with pytest.raises(DataError, match="holds other things"):
        write_digits(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


@pytest.mark.slow
def test_demo_beats_the_untrained_backbone_and_serves(tmp_path: Path) -> None:
    demo = run_demo(tmp_path / "demo")
    assert demo.transferred.interval[0] > demo.untrained.interval[1]
    assert (demo.saved_model / "saved_model.pb").exists()
    assert (demo.run / "model.keras").exists()
    assert {answer.label for answer in demo.served} <= {str(digit) for digit in range(10)}
    assert sum(answer.label == answer.truth for answer in demo.served) > 4
