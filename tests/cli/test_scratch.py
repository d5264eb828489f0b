"""`tlkeras compare --scratch`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import write_flowers
from tlkeras.cli.main import app
from tlkeras.errors import DataError
from tlkeras.tasks.choosing import scratch

ASKED = ["compare", "--scratch", "--backbone", "TinyResNet"]


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flowers(tmp_path_factory.mktemp("scratch") / "flowers", per_class=14, seed=9)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "EPOCHS", 0)


def test_json_has_both_answers(flowers: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    drawn = tmp_path / "transfer.png"
    ran = CliRunner().invoke(app, [*ASKED, str(flowers), "--json", "--plot", str(drawn)])
    assert ran.exit_code == 0, ran.output
    content = json.loads(ran.stdout)
    assert content["transfer"]["backbone"] == "TinyResNet"
    assert content["transfer"]["helps"] in (True, False, None)
    assert content["transfer"]["pretrained"] is None
    assert content["learning_curve"]["points"]
    assert drawn.read_bytes()[:4] == b"\x89PNG"


def test_two_folders_are_refused(flowers: Path) -> None:
    ran = CliRunner().invoke(app, [*ASKED, str(flowers), str(flowers)])
    assert isinstance(ran.exception, DataError)
    assert "on one folder" in str(ran.exception)
