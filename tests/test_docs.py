"""The documentation: links lead somewhere, quoted code is that of the files, commands exist."""

import html
import re
import shlex
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest
import typer

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(path: Path) -> str:
    """The text without its blocks of code and without code in a line."""
    return re.sub(r"`[^`\n]+`", "`code`", FENCE.sub("", path.read_text(encoding="utf-8")))


def blocks(path: Path) -> Iterator[tuple[str, str]]:
    """What stands behind the three ticks, and the code."""
    for block in FENCE.finditer(path.read_text(encoding="utf-8")):
        yield block["info"].strip(), block["code"]


@cache
def anchors(path: Path) -> frozenset[str]:
    """The anchors that Markdown gives the page's headings, as Python-Markdown makes them."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text("utf-8")), re.MULTILINE):
        plain = unicodedata.normalize("NFKD", heading.replace("`", "")).encode("ascii", "ignore")
        words = re.sub(r"[^\w\s-]", "", plain.decode()).strip().lower()
        anchor = re.sub(r"[-\s]+", "-", words)
        found.append(f"{anchor}_{found.count(anchor)}" if anchor in found else anchor)
    return frozenset(found)


def broken(path: Path) -> list[str]:
    """Links of the page that lead nowhere."""
    missing = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        place = (path.parent / target).resolve() if target else path
        if not place.exists() or (anchor and anchor not in anchors(place)):
            missing.append(link)
    return missing


@pytest.mark.parametrize("path", TEXTS, ids=named)
def test_every_link_and_anchor_leads_somewhere(path: Path) -> None:
    assert broken(path) == []


def test_a_missing_page_and_a_missing_anchor_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b` title\n[1](gone.md) [2](#a-b-title) [3](#b) ![4](https://x.org/y.png)")
    assert broken(page) == ["gone.md", "#b"]


def test_every_page_is_in_the_navigation_once() -> None:
    listed = re.findall(r": ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    own = [name for name in listed if (DOCS / name).exists()]
    assert sorted(own) == [page.relative_to(DOCS).as_posix() for page in PAGES]


@pytest.mark.parametrize("path", sorted(DOCS.glob("how_to_add/*.md")), ids=named)
def test_quoted_code_is_that_of_its_file(path: Path) -> None:
    """A block with a title is part of the file of that name, however far it is indented there.

    `...` stands for lines left out.
    """

    def flush(text: str) -> str:
        return "\n".join(line.strip() for line in text.strip().splitlines())

    quoted = 0
    for info, code in blocks(path):
        title = re.search(r'title="([^"]+)"', info)
        if not title:
            continue
        source, start = flush((ROOT / title[1]).read_text(encoding="utf-8")), 0
        for part in map(flush, re.split(r"^\.\.\.\n", code, flags=re.MULTILINE)):
            start = source.find(part, start)
            assert start >= 0, f"{title[1]} has no such lines any more:\n{part}"
            start += len(part)
            quoted += 1
    assert quoted >= 2


@pytest.mark.parametrize(
    "path", [DOCS / "architecture.md", *sorted(DOCS.glob("how_to_add/*.md"))], ids=named
)
def test_files_that_are_named_exist(path: Path) -> None:
    names = re.findall(r"`((?:tlkeras|converters|tests|docs)/[\w/.]*)`", path.read_text("utf-8"))
    assert len(names) >= 6
    assert [name for name in names if not (ROOT / name).exists()] == []


@pytest.mark.slow
def test_orders_that_operators_ask_for_are_those_of_the_registry() -> None:
    from converters.onnx_to_keras.registry import known_ops

    page = (DOCS / "how_to_add" / "operator.md").read_text(encoding="utf-8")
    rows = re.findall(r'^\| `"(\w+)"` \| .+ \| ([\w, ]+) \|$', page, re.MULTILINE)
    told = {name: order for order, names in rows for name in names.split(", ")}
    known = known_ops()
    assert {order for order, _ in rows} == {entry.order for entry in known.values()}
    assert {name: known[name].order for name in told} == told


def test_architecture_has_the_layers_that_the_linter_holds() -> None:
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(c for c in settings["tool"]["importlinter"]["contracts"] if "layers" in c)
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    assert "\n".join(contract["layers"]) + "\n" in page


@pytest.mark.parametrize("package", ["tlkeras", "converters"])
def test_reference_has_every_public_name(package: str) -> None:
    texts = [page.read_text(encoding="utf-8") for page in DOCS.glob("reference/*.md")]
    listed = [name for text in texts for name in re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)]
    errors = (ROOT / package / "errors.py").read_text(encoding="utf-8")
    told = {name.rpartition(".")[2] for name in listed if name.startswith(f"{package}.")}
    told |= set(re.findall(r"^class (\w+)", errors, re.MULTILINE))
    assert f"{package}.errors" in listed
    assert sorted(set(import_module(package).__all__) - told - {"__version__"}) == []


PYTHON = [
    pytest.param(code, id=f"{named(path)}-{number}")
    for path in PAGES
    for number, (info, code) in enumerate(blocks(path))
    if info == "python"
]


@pytest.mark.parametrize("code", PYTHON)
def test_python_in_the_pages_is_python(code: str) -> None:
    compile(dedent(code), "block", "exec")


COMMANDS = [
    pytest.param(line.partition(" #")[0], id=f"{named(path)}: {line}")
    for path in PAGES
    for info, code in blocks(path)
    if info in ("console", "bash")
    for line in code.replace("\\\n", " ").splitlines()
    if line.startswith("tlkeras ")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_in_the_pages_exist_with_their_options(line: str) -> None:
    from tlkeras.cli.main import app

    _, name, *words = shlex.split(line.partition(" | ")[0].partition(" > ")[0])
    commands = typer.main.get_command(app).commands
    assert name in commands
    known = {option for entry in commands[name].params for option in entry.opts}
    assert [w for w in words if re.match(r"--?[a-z]", w) and w.partition("=")[0] not in known] == []


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """As `make docs`; skipped where the extra `docs` is not installed."""
    pytest.importorskip("mkdocstrings_handlers.python", reason="the extra `docs` is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    page = (tmp_path / "reference" / "classifier.html").read_text(encoding="utf-8")
    assert 'id="tlkeras.tasks.image_classifier.ImageClassifier.fine_tune"' in page
    assert (tmp_path / "benchmarks" / "results" / "rank.json").exists()
    data = (tmp_path / "reference" / "data.html").read_text(encoding="utf-8")
    shown = html.unescape(re.sub(r"<[^>]+>", "", data)).replace("\N{NO-BREAK SPACE}", " ")
    assert "split: Shares = (0.7, 0.15, 0.15)" in shown  # and not the constant's private name
    assert re.search(r"^ *train, validation, test$", shown, re.MULTILINE)  # one item, no type
