"""The programs of an exported README, run as they stand there against `tlkeras serve`."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

import tlkeras as tl
from tests.processes import first_json, started

pytestmark = pytest.mark.slow

SERVE = "import sys; from tlkeras.cli.main import run; sys.argv[0] = 'tlkeras'; run()"


class Served(NamedTuple):
    readme: str
    url: str
    classifier: "tl.ImageClassifier"


@pytest.fixture(scope="module")
def served(flower_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A run that was exported, so that it has a README, and that is served."""
    room = tmp_path_factory.mktemp("room")
    clf = tl.ImageClassifier("TinyResNet", weights=None).fit(flower_folder)
    run = clf.save(room / "run")
    version = clf.export(room / "serve" / "flowers")
    assert version == room / "serve" / "flowers" / "1"
    words = ["serve", str(run), "--port", "0", "--name", "flowers", "--json"]
    with started(SERVE, *words, seconds=120) as process:
        told = first_json(process)
        text = (version.parent / "README.md").read_text(encoding="utf-8")
        yield Served(text, told["url"], clf)


@pytest.fixture(scope="module")
def large_picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Larger than the 128 KiB that a word on a command line may have."""
    pixels = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    pixels[100:400, 200:500] = (230, 20, 60)
    path = tmp_path_factory.mktemp("large") / "picture.jpg"
    Image.fromarray(pixels).save(path, quality=90)
    assert path.stat().st_size > 200_000
    return path


def program(served: Served, language: str) -> str:
    (block,) = re.findall(rf"```{language}\n(.*?)```", served.readme, re.DOTALL)
    assert block.count("http://127.0.0.1:8501/") == 1
    return block.replace("http://127.0.0.1:8501", served.url)


def command(served: Served, language: str) -> list[str]:
    """How a reader runs it; -I and -S leave Python its standard library alone."""
    text = program(served, language)
    if language == "python":
        return [sys.executable, "-I", "-S", "-c", text]
    tool = {"bash": "bash", "javascript": "node"}[language]
    if not shutil.which(tool) or (language == "bash" and not shutil.which("curl")):
        pytest.skip(f"{tool} or what it calls is not installed here")
    return (
        ["bash", "-c", text] if language == "bash" else ["node", "--input-type=module", "-e", text]
    )


def ran(served: Served, language: str, room: Path) -> str:
    done = subprocess.run(
        command(served, language), cwd=room, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_program_prints_the_label_that_predict_gives(
    language: str, served: Served, large_picture: Path
) -> None:
    (expected,) = served.classifier.predict(large_picture)
    label, score = ran(served, language, large_picture.parent).split()
    assert label == expected.label
    assert float(score) == pytest.approx(expected.score, abs=1e-4)


def test_curl_prints_the_answer_of_a_picture_too_large_for_a_command_line(
    served: Served, large_picture: Path
) -> None:
    (expected,) = served.classifier.predict(large_picture)
    (row,) = json.loads(ran(served, "bash", large_picture.parent))["predictions"]
    assert row["ok"] is True
    assert row["label"] == expected.label
    assert row["score"] == pytest.approx(expected.score, abs=1e-4)


@pytest.mark.parametrize("language", ["python", "javascript", "bash"])
def test_file_that_is_no_picture_is_said_to_be_none(
    language: str, served: Served, tmp_path: Path
) -> None:
    (tmp_path / "picture.jpg").write_text("<html>not found</html>")
    text = ran(served, language, tmp_path)
    if language == "bash":
        assert json.loads(text)["predictions"][0]["ok"] is False
    else:
        assert text == "not a picture that the model reads\n"


def test_outputs_of_the_readme_are_those_that_are_answered(
    served: Served, large_picture: Path
) -> None:
    (row,) = json.loads(ran(served, "bash", large_picture.parent))["predictions"]
    listed = re.findall(r"^\| `(\w+)` \| (?:string|float32|bool)", served.readme, re.MULTILINE)
    assert set(listed) == {*row, "embedding"}
    (shown,) = re.findall(r"```text\n(.*?)\n```", served.readme)
    assert set(json.loads(shown.replace(", …", ""))["predictions"][0]) == set(row)
