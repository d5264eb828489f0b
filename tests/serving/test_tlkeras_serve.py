"""`tlkeras serve` as a process, with many clients and one that does its worst."""

from pathlib import Path

import pytest

import tlkeras as tl
from benchmarks.serving_load.__main__ import alone, under_load
from benchmarks.serving_load.prepare import NAME
from benchmarks.serving_load.servers import tlkeras_serve


@pytest.mark.slow
def test_many_clients_get_their_own_answers_while_others_do_their_worst(
    flower_folder: Path, tmp_path: Path
) -> None:
    clf = tl.ImageClassifier("TinyResNet", weights=None).fit(flower_folder)
    run = clf.save(tmp_path / "run")
    files = sorted(flower_folder.glob("*/*.*"))
    told = tl.ImageClassifier.load(run).predict(files).labels
    labels = {path.name: str(label) for path, label in zip(files, told, strict=True)}
    with tlkeras_serve(run, NAME, tmp_path / "log") as server:
        asked, _ = alone(f"{server.url}/v1/models/{NAME}:predict", files, labels)
        assert len(asked) == len(files) == 36
        jpeg = next(path for path in files if path.suffix == ".jpg").read_bytes()
        tally, siege = under_load(server, asked, jpeg, clients=16, seconds=3)
        assert set(tally.counts) == {"right"}, tally.shown
        assert siege.failures == []
        assert len(siege.answers) == 17
        assert server.alive
    assert server.process.returncode == 0
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")
