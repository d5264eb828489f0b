"""`tlkeras check`: corrections are written before anything is looked at, or not at all."""

import csv
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import write_flowers

Answer = tuple[int, str, str]


@pytest.fixture
def check(tlkeras: Callable[..., Answer]) -> Callable[..., Answer]:
    """Run `tlkeras check`; gives (exit status, standard output, standard error)."""
    return partial(tlkeras, "check")


@pytest.fixture
def flowers(flower_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(flower_folder, tmp_path / "flowers")


def journal(folder: Path) -> list[tuple[str, str]]:
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        return [(row["path"], row["label"]) for row in csv.DictReader(file)]


def test_relabel_and_leave_out_are_in_force_at_once(
    check: Callable[..., Answer], flowers: Path
) -> None:
    status, out, _ = check(
        flowers, "--relabel", "rose/rose_01.jpg=iris", "--leave-out", "rose/rose_02.jpg", "--json"
    )
    assert status == 0
    told = json.loads(out)
    assert [text.split(":")[0] for text in told["corrections"]] == ["corrected"] * 2
    corrected = next(one for one in told["findings"] if one["kind"] == "corrected")
    assert any("rose_01" in path for path in corrected["paths"])
    assert journal(flowers) == [("rose/rose_01.jpg", "iris"), ("rose/rose_02.jpg", "")]
    assert (flowers / "rose" / "rose_01.jpg").exists()
    assert (flowers / "rose" / "rose_02.jpg").exists()


def test_undo_takes_the_last_back(check: Callable[..., Answer], flowers: Path) -> None:
    check(flowers, "--relabel", "rose/rose_01.jpg=iris", "--leave-out", "rose/rose_02.jpg")
    status, out, _ = check(flowers, "--undo", "1")
    assert status == 0
    assert "undone: rose/rose_02.jpg" in out
    assert journal(flowers) == [("rose/rose_01.jpg", "iris")]


def test_a_wrong_word_writes_nothing(check: Callable[..., Answer], flowers: Path) -> None:
    status, out, err = check(
        flowers, "--relabel", "rose/rose_01.jpg=iris", "--relabel", "rose/rose_02.jpg=irys"
    )
    assert status == 2
    assert out == ""
    assert "iris" in err
    assert "Traceback" not in err
    assert journal(flowers) == []


def test_undone_corrections_come_back_when_a_word_is_wrong(
    check: Callable[..., Answer], flowers: Path
) -> None:
    check(flowers, "--relabel", "rose/rose_01.jpg=iris")
    assert check(flowers, "--undo", "1", "--relabel", "nothing")[0] == 2
    assert journal(flowers) == [("rose/rose_01.jpg", "iris")]


def test_file_names_may_have_an_equals_sign(check: Callable[..., Answer], flowers: Path) -> None:
    (flowers / "rose" / "rose_01.jpg").rename(flowers / "rose" / "a=b.jpg")
    assert check(flowers, "--relabel", "rose/a=b.jpg=iris")[0] == 0
    assert journal(flowers) == [("rose/a=b.jpg", "iris")]


def test_without_an_equals_sign_it_says_what_is_wanted(
    check: Callable[..., Answer], flowers: Path
) -> None:
    status, _, err = check(flowers, "--relabel", "rose/rose_01.jpg")
    assert status == 2
    assert "PATH=CLASS" in err


def test_html_page_is_written_and_named(
    check: Callable[..., Answer], flowers: Path, tmp_path: Path
) -> None:
    page = tmp_path / "findings.html"
    status, out, _ = check(flowers, "--html", page, "--json")
    assert status == 0
    assert json.loads(out)["html"] == str(page)
    assert page.read_bytes().startswith(b"<!doctype html>")


@pytest.mark.slow
def test_backbone_adds_suspected_labels(check: Callable[..., Answer], tmp_path: Path) -> None:
    folder = write_flowers(tmp_path / "flowers", per_class=30)
    (folder / "rose" / "rose_04.jpg").rename(folder / "iris" / "moved.jpg")
    status, out, _ = check(folder, "--backbone", "TinyResNet", "--json")
    assert status == 0
    kinds = {one["kind"]: one for one in json.loads(out)["findings"]}
    assert kinds["suspected-label"]["paths"][0].endswith("moved.jpg")
    assert "iris → rose" in kinds["suspected-label"]["details"][0]


def test_unknown_backbone_is_wrong_input(check: Callable[..., Answer], flowers: Path) -> None:
    status, _, err = check(flowers, "--backbone", "TinyRasNet")
    assert status == 2
    assert "TinyResNet" in err
