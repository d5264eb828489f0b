"""Every example that a reader can see runs: docstrings and the README."""

import doctest
import importlib
import pkgutil
import re
import shlex
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
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
def test_readme_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    from tests.conftest import write_flowers
    from tlkeras.cli import main

    pytest.importorskip("onnxruntime")

    write_flowers(tmp_path / "flowers", per_class=24)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    first, *others = blocks("python")
    exec(compile(first, "README.md", "exec"), names)  # the reader's own session

    def typed(block: str) -> None:
        for line in block.strip().splitlines():
            monkeypatch.setattr("sys.argv", shlex.split(line))
            with pytest.raises(SystemExit) as end:
                main.run()
            assert not end.value.code, f"{line}: {end.value.code}\n{capfd.readouterr().err}"

    first_commands, *other_commands = blocks("console")
    typed(first_commands)
    for block in others:
        exec(compile(block, "README.md", "exec"), names)
    for block in other_commands:
        typed(block)
    assert "agrees with its source" in (tmp_path / "report3.html").read_text(encoding="utf-8")
    assert (tmp_path / "report.html").stat().st_size > 1000
    assert (tmp_path / "serve/flowers/1/saved_model.pb").exists()
    assert (tmp_path / "serve/flowers2/1/saved_model.pb").exists()
    labels = names["answer"]["label"].numpy()
    assert labels[0].decode() in ("daisy", "iris", "rose")
    assert labels[1] == b""


def test_readme_has_the_routes_that_the_code_has() -> None:
    from converters.routes import routes_table

    assert routes_table().strip() in README.read_text(encoding="utf-8")
