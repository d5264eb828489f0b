"""`tlkeras evaluate --html`: the page of a run folder."""

import json
from pathlib import Path

import pytest

import tlkeras as tl
from tlkeras.cli import main


@pytest.fixture(scope="module")
def run_folder(flower_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    clf = tl.ImageClassifier("TinyResNet", weights=None).fit(flower_folder)
    return clf.save(tmp_path_factory.mktemp("runs") / "flowers")


def tlkeras(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, *words: object
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["tlkeras", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main.run()
    out, err = capfd.readouterr()
    return int(end.value.code or 0), out, err


def measured_at(folder: Path, labels: str) -> Path:
    """What an export leaves beside the model, without the model."""
    for name, content in (
        ("assets.extra/parity.json", json.dumps({
            "pictures": 6, "largest_difference": 2e-7, "label_mismatches": 0,
            "not_decodable": [], "tolerance": 1e-4,
        })),
        ("assets/labels.txt", labels),
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def test_page_of_a_run_tells_of_its_pictures_training_and_export(
    run_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    served = measured_at(tmp_path / "serve" / "1", "daisy\niris\nrose\n")
    page = tmp_path / "report.html"
    status, out, _ = tlkeras(
        monkeypatch, capfd, "evaluate", run_folder, "--html", page, "--export", served, "--json"
    )
    assert status == 0
    assert json.loads(out)["html"] == str(page)
    text = page.read_text(encoding="utf-8")
    for heading in ("Embedding map", "Training curves", "Pictures", "Export", "Cost", "Recipe"):
        assert f"<h2>{heading}</h2>" in text
    assert "largest difference 2e-07" in text
    assert "<h2>Not known</h2>" not in text


@pytest.mark.parametrize(("labels", "said"), [("cat\ndog\n", "cat, dog"), (None, "parity.json")])
def test_export_of_another_model_is_refused(
    run_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
    labels: str | None,
    said: str,
) -> None:
    folder = tmp_path / "serve"
    if labels:
        measured_at(folder, labels)
    status, _, err = tlkeras(monkeypatch, capfd, "evaluate", run_folder, "--export", folder)
    assert status == 2
    assert said in err
    assert "Traceback" not in err
