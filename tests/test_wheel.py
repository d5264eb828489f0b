"""The wheel: what belongs in it is in it, and the check of it finds what does not."""

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

import tlkeras

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_wheel", ROOT / "scripts/check_wheel.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of this checkout, by the setuptools that is here."""
    pytest.importorskip("setuptools", minversion="77")
    place = tmp_path_factory.mktemp("wheel")
    for name in ("tlkeras", "converters", "tests"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place / name)
    code = "from setuptools import build_meta; build_meta.build_wheel('dist')"
    built = subprocess.run(
        [sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr[-2000:]
    return next((place / "dist").glob("*.whl"))


def changed(wheel: Path, folder: Path, drop: str = "", add: str = "") -> Path:
    """A copy without the file `drop`, with a file `add`."""
    other = folder / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            if name != drop:
                new.writestr(name, old.read(name))
        if add:
            new.writestr(add, b"")
    return other


def test_wheel_has_both_packages_the_weights_and_nothing_else(
    check: ModuleType, wheel: Path
) -> None:
    assert check.findings(wheel) == []


@pytest.mark.parametrize(
    ("drop", "add", "told"),
    [
        ("tlkeras/py.typed", "", "tlkeras/py.typed is missing"),
        ("converters/kinds.py", "", "converters/kinds.py is missing"),
        ("", "tests/test_x.py", "tests/test_x.py does not belong in it"),
        ("", "tlkeras/notebooks/a.ipynb", "tlkeras/notebooks/a.ipynb does not belong in it"),
    ],
)
def test_what_is_wrong_is_found(
    drop: str, add: str, told: str, check: ModuleType, wheel: Path, tmp_path: Path
) -> None:
    assert check.findings(changed(wheel, tmp_path, drop, add)) == [told]


def test_version_has_one_place(check: ModuleType) -> None:
    written = check.version_of_project()
    assert tlkeras.__version__ == version("tlkeras") == written
    texts = [*(ROOT / "tlkeras").rglob("*.py"), *(ROOT / "converters").rglob("*.py")]
    assert [p for p in texts if f'"{written}"' in p.read_text(encoding="utf-8")] == []


def test_changelog_begins_with_the_version(check: ModuleType) -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.split("\n## ")[1].split()[0] == check.version_of_project()
