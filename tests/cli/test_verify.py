"""`tlkeras verify` as a user meets it."""

import json
import shutil
from pathlib import Path


def test_whole_run_ends_with_zero(tlkeras: object, run_folder: Path) -> None:
    status, out, _ = tlkeras("verify", run_folder)
    assert status == 0
    assert "as it was saved" in out
    assert out.count("right") >= 3


def test_damaged_run_ends_with_one_and_names_the_file(
    tlkeras: object, run_folder: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(run_folder, tmp_path / "run")
    (copy / "recipe.json").write_text("{}")
    status, out, _ = tlkeras("verify", copy, "--json")
    assert status == 1
    told = json.loads(out)
    assert told["ok"] is False
    assert "recipe.json" in told["checks"][0]["found"]


def test_no_run_is_wrong_input(tlkeras: object, tmp_path: Path) -> None:
    status, out, err = tlkeras("verify", tmp_path)
    assert (status, out) == (2, "")
    assert "Traceback" not in err
