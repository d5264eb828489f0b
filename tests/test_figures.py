"""Figures as files."""

from pathlib import Path

import pytest

from tlkeras import figures
from tlkeras.errors import ExportError


@pytest.fixture
def plot() -> figures.Plot:
    plot = figures.Plot(figsize=(2, 1))
    plot.subplots().plot([0, 1], [1, 0], color=figures.RIGHT)
    return plot


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml")])
def test_suffix_says_the_format(
    plot: figures.Plot, tmp_path: Path, name: str, start: bytes
) -> None:
    assert figures.write(plot, tmp_path / name).read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.xyz", "a", "nowhere/a.png"])
def test_file_that_cannot_be_is_said_in_words(
    plot: figures.Plot, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ExportError, match="Received"):
        figures.write(plot, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
