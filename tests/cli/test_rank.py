"""`tlkeras rank` as a user meets it."""

import json
from pathlib import Path

import pytest


def test_rank_prints_the_table_and_draws_the_plot(
    tlkeras: object, flower_folder: Path, tmp_path: Path
) -> None:
    plot = tmp_path / "ranking.png"
    words = ("--backbone", "TinyResNet=builtin", "--backbone", "VGG16", "--max-mb", "20")
    status, out, _ = tlkeras("rank", flower_folder, *words, "--plot", plot)
    assert status == 0
    assert out.startswith("TinyResNet comes first, right about")
    assert "left out: VGG16 (58.9 MB are more than 20)" in out
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_rank_json_is_one_object(tlkeras: object, flower_folder: Path) -> None:
    status, out, _ = tlkeras("rank", flower_folder, "--backbone", "TinyResNet", "--json")
    assert status == 0
    told = json.loads(out)
    assert told["best"] == "TinyResNet"
    assert told["shortlist"] == ["TinyResNet"]
    assert 0 < told["table"][0]["accuracy"] <= 1


@pytest.mark.parametrize(
    "words",
    [
        ("--backbone", "MobilNet"),
        ("--license", "none such"),
        ("--minutes", "0"),
        ("--backbone", "TinyResNet", "--max-mb", "1"),
    ],
)
def test_wrong_input_ends_with_two_and_no_traceback(
    tlkeras: object, flower_folder: Path, words: tuple[str, ...]
) -> None:
    status, _, err = tlkeras("rank", flower_folder, *words)
    assert status == 2
    assert err.startswith("tlkeras: ")
    assert "Traceback" not in err
