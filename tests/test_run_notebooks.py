"""The runner of the notebooks: a real kernel, and a failure for what a reader should not see."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).resolve().parents[1] / "scripts" / "run_notebooks.py"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def kernel() -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")


def run(folder: Path, *sources: str, write: bool = False) -> tuple[int, str, Path]:
    """Exit status and what was printed, of a notebook with these code cells."""
    path = folder / "one.ipynb"
    code = [
        {"cell_type": "code", "id": f"cell-{number}", "metadata": {}, "source": source}
        | {"outputs": [], "execution_count": None}
        for number, source in enumerate(sources)
    ]
    whole = {"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(whole), encoding="utf-8")
    words = [sys.executable, str(RUNNER), str(path), *(["--write"] if write else [])]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout, path


def test_outputs_are_kept_as_they_came(tmp_path: Path) -> None:
    status, said, path = run(tmp_path, "x = 6 * 7\nprint(x)", "x + 1", write=True)
    assert status == 0, said
    first, second = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert "".join(first["outputs"][0]["text"]) == "42\n"
    assert "".join(second["outputs"][0]["data"]["text/plain"]) == "43"
    assert (first["metadata"], second["execution_count"]) == ({}, 2)


def test_a_cell_that_fails_fails_the_run_and_leaves_the_file(tmp_path: Path) -> None:
    status, said, path = run(tmp_path, "1 / 0", write=True)
    assert status == 1
    assert "ZeroDivisionError" in said
    assert "ZeroDivisionError" not in path.read_text(encoding="utf-8")


def test_what_is_written_to_standard_error_fails_the_run(tmp_path: Path) -> None:
    status, said, _ = run(tmp_path, "import warnings\nwarnings.warn('odd')")
    assert status == 1
    assert "wrote to standard error" in said


def test_a_path_of_this_machine_fails_the_run(tmp_path: Path) -> None:
    status, said, _ = run(tmp_path, "from pathlib import Path\nprint(Path.cwd())")
    assert status == 1
    assert "path of this machine" in said


def test_a_run_begins_in_an_empty_folder_with_an_empty_home(tmp_path: Path) -> None:
    source = "import os\nprint(os.listdir('.'), os.listdir(os.path.expanduser('~')))"
    status, said, path = run(tmp_path, source, write=True)
    assert status == 0, said
    output = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["outputs"][0]
    shown = "".join(output["text"])
    assert shown.startswith("[] ")
