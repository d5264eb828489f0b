"""The help, as a terminal of eighty columns shows it."""

import os
import re
import sys
from pathlib import Path

import pytest
import typer

from tlkeras.cli import out
from tlkeras.cli.main import COMMANDS, app

NAMES = [command.__name__ for command in COMMANDS]


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_every_command_is_told_in_a_whole_sentence(tlkeras: object) -> None:
    status, told, _ = tlkeras("--help")
    rows = [line for line in told.splitlines() if line.strip().partition(" ")[0] in NAMES]
    assert status == 0
    assert [row.split()[0] for row in rows] == NAMES
    assert [row for row in rows if not row.endswith(".") or row.endswith("...")] == []


@pytest.mark.parametrize("name", NAMES)
def test_help_of_a_command_fits_and_explains_every_word(tlkeras: object, name: str) -> None:
    status, told, _ = tlkeras(name, "--help")
    assert status == 0
    assert max(map(len, told.splitlines())) <= 80
    assert re.findall(r"<\w+|[{}]|\[required\]", told) == []  # Typer's marks and Python's types
    command = typer.main.get_command(app).commands[name]
    assert [p.name for p in command.params if not p.help] == []


def test_usage_names_arguments_in_capitals_alone(tlkeras: object) -> None:
    assert "tlkeras predict [OPTIONS] RUN PICTURE...\n" in tlkeras("predict", "--help")[1]
    assert "tlkeras evaluate [OPTIONS] RUN [DATA]\n" in tlkeras("evaluate", "--help")[1]


def test_called_from_no_search_path_the_next_commands_carry_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "tlkeras"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["bin/tlkeras", "demo"])
    monkeypatch.setenv("PATH", os.defpath)
    assert out.called() == "bin/tlkeras"
    monkeypatch.setenv("PATH", str(program.parent))
    assert out.called() == "tlkeras"
