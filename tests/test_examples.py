"""Every example that a reader can see runs: docstrings and the README."""

import doctest
import importlib
import pkgutil
import re
import shlex
import shutil
from pathlib import Path

import pytest

import converters
import tlkeras

README = Path(__file__).resolve().parents[1] / "README.md"

MODULES = [
    name
    for package in (tlkeras, converters)
    for _, name, _ in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not name.endswith("serve_once")
]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def blocks(language: str) -> list[str]:
    fences = re.findall(
        r"^```(\w*)\n(.*?)^```$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return [code for info, code in fences if info == language]


@pytest.mark.slow
def test_readme_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    from tests.conftest import write_flowers
    from tlkeras.cli import main

    pytest.importorskip("onnxruntime")

    write_flowers(tmp_path / "flowers", per_class=24)
    shutil.copytree(tmp_path / "flowers", tmp_path / "pictures")
    shutil.copy(tmp_path / "flowers/iris/iris_01.jpg", tmp_path / "new_picture.jpg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    first, *others = blocks("python")
    exec(compile(first, "README.md", "exec"), names)  # the reader's own session

    def typed(block: str) -> None:
        for line in block.strip().splitlines():
            if line == "source .venv/bin/activate":
                continue  # this very process is in an environment that has tlkeras
            monkeypatch.setattr("sys.argv", shlex.split(line))
            with pytest.raises(SystemExit) as end:
                main.run()
            assert not end.value.code, f"{line}: {end.value.code}\n{capfd.readouterr().err}"

    first_commands, *other_commands = blocks("console")
    for block in [*blocks("bash"), first_commands]:
        typed(block)
    for block in others:
        exec(compile(block, "README.md", "exec"), names)
    for block in other_commands:
        typed(block)
    assert "agrees with its source" in (tmp_path / "report2.html").read_text(encoding="utf-8")
    assert (tmp_path / "runs/mine/model.keras").exists()
    assert (tmp_path / "report.html").stat().st_size > 1000
    assert (tmp_path / "serve/flowers/1/saved_model.pb").exists()
    assert (tmp_path / "serve/flowers2/1/saved_model.pb").exists()
    labels = names["answer"]["label"].numpy()
    assert labels[0].decode() in ("daisy", "iris", "rose")
    assert labels[1] == b""


def test_other_blocks_of_the_readme_name_what_there_is() -> None:
    """`make` with its targets, `pip` with its constraints: too long to run here; CI does."""
    root = README.parent
    targets = re.findall(r"^([a-z]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE)
    for line in "".join(blocks("")).splitlines():
        program, *words = shlex.split(line, comments=True)
        if program == "make":
            assert words[0] in targets
        else:
            assert (program, *words) == ("pip", "install", "--constraint", "constraints.txt", ".")
            assert (root / "constraints.txt").exists()


def test_readme_has_one_small_picture() -> None:
    (name,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    assert (README.parent / name).stat().st_size < 100_000


def test_readme_counts_the_backbones_right() -> None:
    from tlkeras.backbones.catalogue import backbones

    assert f"[{len(backbones())} backbones]" in README.read_text(encoding="utf-8")


def test_the_guide_has_the_routes_that_the_code_has() -> None:
    from converters.routes import routes_table

    guide = README.parent / "docs" / "import.md"
    assert routes_table().strip() in guide.read_text(encoding="utf-8")
