"""`tlkeras serve` as a user starts and stops it."""

import base64
import json
import signal
import subprocess
import urllib.request
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import tlkeras as tl
from tests.processes import first_json, started

START = """
import sys
for name in ("tensorflow", "keras", "torch"):
    sys.modules[name] = None      # an import of it fails
from tlkeras.cli.main import run
sys.argv = ["tlkeras", "serve", *sys.argv[1:]]
run()
"""


@pytest.fixture(scope="module")
def run_folder(flower_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    clf = tl.ImageClassifier("TinyResNet", weights=None).fit(flower_folder)
    return clf.save(tmp_path_factory.mktemp("runs") / "my flowers")


def serving(*words: object) -> AbstractContextManager[subprocess.Popen]:
    return started(START, *words, seconds=60)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_serves_without_tensorflow_until_it_is_told_to_stop(
    run_folder: Path, flower_folder: Path, ending: signal.Signals
) -> None:
    picture = flower_folder / "rose" / "rose_01.jpg"
    content = {"b64": base64.b64encode(picture.read_bytes()).decode()}
    with serving(run_folder, "--port", 0, "--json") as process:
        told = first_json(process)
        assert told["url"].startswith("http://127.0.0.1:")
        assert told["model"] == "my-flowers"
        body = json.dumps({"instances": [{"image_bytes": content}]}).encode()
        with urllib.request.urlopen(told["predict"], body, timeout=20) as reply:
            (row,) = json.load(reply)["predictions"]
        (expected,) = tl.ImageClassifier.load(run_folder).predict(picture)
        assert row["label"] == expected.label
        assert row["score"] == pytest.approx(expected.score, abs=1e-4)
        process.send_signal(ending)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        assert out == ""
        assert "Traceback" not in err


def test_says_where_it_is_and_that_it_is_not_for_production(run_folder: Path) -> None:
    with serving(run_folder, "--port", 0, "--name", "roses", "--host", "0.0.0.0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGTERM)
        rest, err = process.communicate(timeout=20)
    assert "not a production server" in lines[0]
    assert "/v1/models/roses:predict" in lines[2]
    assert rest == "stopped\n"
    assert "other machines" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--name", "a/b"), "--name"),
        (("--host", "999.1.1.1"), "address"),
        (("--port", "99999"), "65535"),
        (("--max-mb", "0"), "max-mb"),
    ],
)
def test_wrong_words_are_wrong_input(run_folder: Path, words: tuple[str, ...], told: str) -> None:
    with serving(run_folder, *words) as process:
        out, err = process.communicate(timeout=40)
    assert process.returncode == 2
    assert out == ""
    assert told in err
    assert "Traceback" not in err


def test_folder_that_is_no_run_is_wrong_input(tmp_path: Path) -> None:
    with serving(tmp_path) as process:
        _, err = process.communicate(timeout=40)
    assert process.returncode == 2
    assert "run folder" in err
