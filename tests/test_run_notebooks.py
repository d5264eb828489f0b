"""The runner of the notebooks: a real kernel, and a failure for what a reader should not see."""

import json
import os
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


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """The code cells of a notebook that was run with `--write`."""
    path = notebook(
        tmp_path_factory.mktemp("kept") / "good.ipynb",
        "x = 6 * 7\nprint(x)",
        "x + 1",
        "import os\nprint(os.listdir('.'), os.listdir(os.path.expanduser('~')))",
    )
    status, said = run("--write", path)
    assert status == 0, said
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What was said of three notebooks that a reader should not get."""
    folder = tmp_path_factory.mktemp("told")
    status, said = run(
        notebook(folder / "fails.ipynb", "1 / 0"),
        notebook(folder / "warns.ipynb", "import warnings\nwarnings.warn('odd')"),
        notebook(folder / "shows.ipynb", "from pathlib import Path\nprint(Path.cwd())"),
    )
    assert status == 1
    return said


def run(*words: str | Path) -> tuple[int, str]:
    """Exit status of the runner, and what was printed."""
    command = [sys.executable, str(RUNNER), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout


def notebook(path: Path, *sources: str) -> Path:
    """A notebook with these code cells, not yet run."""
    code = [
        {"cell_type": "code", "id": f"cell-{number}", "metadata": {}, "source": source}
        | {"outputs": [], "execution_count": None}
        for number, source in enumerate(sources)
    ]
    whole = {"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def test_outputs_are_kept_as_they_came(kept: list[dict]) -> None:
    first, second, _ = kept
    assert "".join(first["outputs"][0]["text"]) == "42\n"
    assert "".join(second["outputs"][0]["data"]["text/plain"]) == "43"
    assert (first["metadata"], second["execution_count"]) == ({}, 2)


def test_a_run_begins_in_an_empty_folder_with_an_empty_home(kept: list[dict]) -> None:
    assert "".join(kept[2]["outputs"][0]["text"]).startswith("[] ")


def test_a_cell_that_fails_leaves_the_file(tmp_path: Path) -> None:
    path = notebook(tmp_path / "fails.ipynb", "1 / 0")
    before = path.read_bytes()
    assert run("--write", path)[0] == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "reason", ["ZeroDivisionError", "wrote to standard error", "a path of this machine"]
)
def test_what_a_reader_should_not_get_fails_the_run(reason: str, told: str) -> None:
    assert reason in told
    assert told.count("FAILED\n") == 3


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system tells of no cores")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core")
def test_two_run_at_a_time_on_cores_of_their_own(tmp_path: Path) -> None:
    """Each waits until both have begun."""
    meet = f"""
import os, time
from pathlib import Path
room = Path({str(tmp_path)!r})
(room / f"at_{{os.getpid()}}").write_text(",".join(map(str, os.sched_getaffinity(0))))
while len(list(room.glob("at_*"))) < 2:
    time.sleep(0.1)
"""
    status, said = run(*(notebook(tmp_path / f"{name}.ipynb", meet) for name in "ab"))
    assert status == 0, said
    first, second = (set(path.read_text().split(",")) for path in tmp_path.glob("at_*"))
    assert not first & second
