"""The command line called as a user types it, in this process."""

from pathlib import Path

import pytest

from tlkeras.cli import main


@pytest.fixture
def tlkeras(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> object:
    """Run a command line; gives (exit status, standard output, standard error)."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["tlkeras", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main.run()
        out, err = capfd.readouterr()
        return int(end.value.code or 0), out, err

    return call


@pytest.fixture(scope="package")
def run_folder(flower_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on flowers with an untrained backbone; no test changes it."""
    import tlkeras as tl

    clf = tl.ImageClassifier("TinyResNet", weights=None).fit(flower_folder)
    return clf.save(tmp_path_factory.mktemp("runs") / "flowers")
