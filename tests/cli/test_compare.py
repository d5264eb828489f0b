"""`tlkeras compare` as a user meets it."""

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def runs(flower_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    import tlkeras as tl

    where = tmp_path_factory.mktemp("runs")
    data = tl.ImageFolder(flower_folder)
    return [
        tl.ImageClassifier("TinyResNet", weights=weights).fit(data).save(where / name)
        for name, weights in (("first", "builtin"), ("second", None))
    ]


def test_compare_prints_figures_and_writes_the_plot(
    tlkeras: object, runs: list[Path], tmp_path: Path
) -> None:
    status, out, _ = tlkeras("compare", *runs, "--plot", tmp_path / "both.png")
    assert status == 0
    assert "Comparison on 6 pictures" in out
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")


def test_compare_json_is_one_object(tlkeras: object, runs: list[Path]) -> None:
    status, out, _ = tlkeras("compare", *runs, "--json")
    assert status == 0
    told = json.loads(out)
    assert [model["name"] for model in told["models"]] == ["first", "second"]
    assert 0 < told["pairs"][0]["p"] <= 1


def test_one_run_is_wrong_input_said_in_words(tlkeras: object, runs: list[Path]) -> None:
    status, out, err = tlkeras("compare", runs[0])
    assert status == 2
    assert out == ""
    assert "two classifiers or more" in err
