"""The README beside the versions: what it says, and over what it is never written."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tlkeras.export.savedmodel import to_savedmodel
from tlkeras.export.serving.readme import LABELS_SHOWN, OURS, readme, readme_beside, write_readme
from tlkeras.heads.unknown import UnknownScore

NAMES = ("ant", "bee", "cicáda", "dragonfly")


def copied(exported: Path, model: Path, *versions: str) -> Path:
    """The model's folder with that SavedModel as each of the versions, without its weights."""
    for version in versions:
        (model / version).mkdir(parents=True)
        shutil.copy(exported / "saved_model.pb", model / version)
        shutil.copytree(exported / "assets", model / version / "assets")
    return model


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_readme_names_the_model_its_labels_and_outputs(exported: Path) -> None:
    text = readme(exported)
    assert "\n# tiny\n" in text
    assert "version\n1, on the backbone tiny." in text
    assert "    ant\n    bee\n    cicáda\n    dragonfly\n" in text
    assert "| `probabilities` | float32 (n, 4) |" in text
    assert "| `embedding` | float32 (n, 10) |" in text
    assert "| `predict_images` | `images uint8 (n, h, w, 3)` | `label`, `score`" in text
    assert "JPEG, PNG, GIF, BMP" in text
    assert "89,478,485 pixels, or more than 65,535 in one direction |" in text
    assert text.count("http://127.0.0.1:8501/v1/models/tiny:predict") == 4


def test_no_placeholder_is_left(exported: Path) -> None:
    left = re.findall(r"(?<![{$])\{[a-z_]*\}|@[A-Z]+@", readme(exported))
    assert left == []


def test_unknown_score_is_told_where_there_is_one(
    exported: Path, make_bundle: Callable, tmp_path: Path
) -> None:
    assert "unknown" not in readme(exported)
    bundle = make_bundle()
    kernel = np.ones((10, 2), np.float32)
    bundle.network.unknown = UnknownScore(kernel, 3.0, false_alarms=0.05, rows=40)
    text = readme(to_savedmodel(bundle, tmp_path / "scored"))
    assert "| `unknown_score` | float32 (n,) |" in text
    assert "| `unknown` | bool (n,) |" in text
    assert '"unknown": false' in text


def test_name_is_fit_for_an_address(exported: Path, tmp_path: Path) -> None:
    text = readme(copied(exported, tmp_path / "my 1st flöwers", "3") / "3")
    assert "/v1/models/my-1st-fl-wers:predict" in text
    assert "MODEL_NAME=my-1st-fl-wers" in text


def test_many_labels_are_cut_and_odd_ones_shown_as_they_are(exported: Path, tmp_path: Path) -> None:
    version = copied(exported, tmp_path / "tiny", "1") / "1"
    odd = ["```", "# no title", "<b>", "{name}"]
    labels = odd + [f"class {number}" for number in range(LABELS_SHOWN)]
    (version / "assets" / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    text = readme(version)
    assert "    ```\n    # no title\n    <b>\n    {name}\n" in text
    assert f"one of {LABELS_SHOWN + 4} labels" in text
    assert "\n4 more are in `assets/labels.txt`." in text
    assert f"class {LABELS_SHOWN - 1}" not in text


def test_readme_lies_beside_the_versions_and_tells_of_the_highest(
    exported: Path, tmp_path: Path
) -> None:
    model = copied(exported, tmp_path / "tiny", "1", "2")
    assert write_readme(model / "2") == model / "README.md"
    text = (model / "README.md").read_text(encoding="utf-8")
    assert "version\n2" in text
    assert write_readme(model / "1") is None
    assert (model / "README.md").read_text(encoding="utf-8") == text
    copied(exported, model, "10")
    assert write_readme(model / "10") == readme_beside(model / "1") == model / "README.md"
    assert "version\n10" in (model / "README.md").read_text(encoding="utf-8")
    assert names(model) == ["1", "10", "2", "README.md"]


def test_readme_of_somebody_else_stays(exported: Path, tmp_path: Path) -> None:
    model = copied(exported, tmp_path / "tiny", "1")
    ours = readme(model / "1")
    for text in ("mine", ours.replace(OURS, ""), ""):
        (model / "README.md").write_text(text, encoding="utf-8")
        assert write_readme(model / "1") is None
        assert (model / "README.md").read_text(encoding="utf-8") == text
        assert readme_beside(model / "1") is None


def test_folder_that_is_no_models_gets_none(exported: Path, tmp_path: Path) -> None:
    project = copied(exported, tmp_path / "project", "1")
    (project / "train.py").touch()
    assert write_readme(project / "1") is None
    other = copied(exported, tmp_path / "serve", "flowers")
    assert write_readme(other / "flowers") is None
    assert names(project) == ["1", "train.py"]
    assert names(other) == ["flowers"]


def test_readme_that_cannot_be_written_is_told_and_stops_nothing(
    exported: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = copied(exported, tmp_path / "tiny", "1")
    (model / "README.md").mkdir()
    assert write_readme(model / "1") is None
    assert "could not be written" in caplog.text
