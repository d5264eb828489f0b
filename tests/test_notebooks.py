"""The notebooks are as they came from a run: complete and clean, and no number is invented."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_CODE_CELLS = 14
MOST_BYTES = 1_500_000
MARK = "# ▼ your own:"
_OF_A_MACHINE = re.compile(r"(?<![\w.])(?:/(?:home|root|tmp|work|Users|var|opt)/|[A-Z]:\\\\)")
_NOT_PROSE = re.compile(r"`[^`]*`|\]\([^)]*\)|^#+ .*$|\b\d\d_\w+", re.MULTILINE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")

pytestmark = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[dict]:
    return [cell for cell in notebook(path)["cells"] if cell["cell_type"] == kind]


def notebook(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def text(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)


def shown(cell: dict) -> str:
    """All of a code cell's outputs that can be read."""
    found = []
    for output in cell["outputs"]:
        found += [text(output.get("text", ""))]
        found += [text(value) for kind, value in output.get("data", {}).items() if "text" in kind]
    return "\n".join(found)


def test_has_at_most_14_code_cells_between_prose(path: Path) -> None:
    assert 0 < len(cells(path, "code")) <= MOST_CODE_CELLS
    first = notebook(path)["cells"][0]
    assert first["cell_type"] == "markdown"
    assert text(first["source"]).startswith("# ")
    assert len(cells(path, "markdown")) >= len(cells(path, "code")) / 2


def test_was_run_from_top_to_bottom_without_an_error(path: Path) -> None:
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    kinds = [(o["output_type"], o.get("name")) for cell in code for o in cell["outputs"]]
    assert ("error", None) not in kinds
    assert ("stream", "stderr") not in kinds


def test_has_no_path_time_or_version_of_the_machine_it_ran_on(path: Path) -> None:
    whole = notebook(path)
    assert whole["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert all(cell["metadata"] == {} for cell in whole["cells"])
    for cell in cells(path, "code"):
        found = _OF_A_MACHINE.search(shown(cell) + text(cell["source"]))
        assert found is None, found
    assert path.stat().st_size < MOST_BYTES


def test_code_is_python_and_one_line_names_the_readers_own_pictures(path: Path) -> None:
    sources = [text(cell["source"]) for cell in cells(path, "code")]
    for source in sources:
        ast.parse(source)
    assert MARK in sources[0]
    assert "".join(sources).count(f"{MARK} PICTURES") == 1


def test_every_number_in_the_prose_stands_in_an_output_above(path: Path) -> None:
    above = ""
    for cell in notebook(path)["cells"]:
        if cell["cell_type"] == "code":
            above += shown(cell)
            continue
        prose = _NOT_PROSE.sub("", text(cell["source"]))
        invented = [number for number in _NUMBER.findall(prose) if number not in above]
        assert not invented, prose
