"""`tlkeras evaluate --html`: the page of a run folder."""

import json
from pathlib import Path

import pytest


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
    tlkeras: object, run_folder: Path, tmp_path: Path
) -> None:
    served = measured_at(tmp_path / "serve" / "1", "daisy\niris\nrose\n")
    page = tmp_path / "report.html"
    status, out, _ = tlkeras("evaluate", run_folder, "--html", page, "--export", served, "--json")
    assert status == 0
    assert json.loads(out)["html"] == str(page)
    text = page.read_text(encoding="utf-8")
    for heading in ("Embedding map", "Training curves", "Pictures", "Export", "Cost", "Recipe"):
        assert f"<h2>{heading}</h2>" in text
    assert "largest difference 2e-07" in text
    assert "<h2>Not known</h2>" not in text


@pytest.mark.parametrize(("labels", "said"), [("cat\ndog\n", "cat, dog"), (None, "parity.json")])
def test_export_of_another_model_is_refused(
    tlkeras: object, run_folder: Path, tmp_path: Path, labels: str | None, said: str
) -> None:
    folder = tmp_path / "serve"
    if labels:
        measured_at(folder, labels)
    status, _, err = tlkeras("evaluate", run_folder, "--export", folder)
    assert status == 2
    assert said in err
    assert "Traceback" not in err
