"""`tlkeras train` broken off and gone on with, in this process."""

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from tlkeras.progress import LogLines

FROZEN = ("--backbone", "TinyResNet", "--weights", "none", "--set", "batch_size=8")
TUNED = (
    "--backbone", "TinyResNet", "--weights", "builtin", "--unfreeze", 2, "--deterministic",
    "--set", "batch_size=8", "--set", "epochs=3", "--set", "learning_rate=0.001",
    "--set", "label_smoothing=0",
)  # fmt: skip


def arrays(run: Path) -> dict[str, np.ndarray]:
    """Every array in a run's model.keras, by its path."""
    found: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(run / "model.keras") as archive:
        content = archive.read("model.weights.h5")
    with h5py.File(io.BytesIO(content)) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


def assert_same(run: Path, other: Path) -> None:
    ours, theirs = arrays(run), arrays(other)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def stop_at(monkeypatch: pytest.MonkeyPatch, task: str, done: int) -> None:
    """Ctrl-C when that much of a task is told."""
    told = LogLines.__call__

    def call(self: LogLines, name: str, now: int, total: int, note: str = "") -> None:
        if (name, now) == (task, done):
            raise KeyboardInterrupt
        told(self, name, now, total, note)

    monkeypatch.setattr(LogLines, "__call__", call)


def test_complete_run_is_said_to_be_complete(
    tlkeras: object, flower_folder: Path, tmp_path: Path
) -> None:
    words = ("train", flower_folder, *FROZEN, "--to", tmp_path / "run", "--resume")
    assert tlkeras(*words)[0] == 0
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    status, out, _ = tlkeras(*words)
    assert status == 0
    assert "is complete" in out
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    assert json.loads(tlkeras(*words, "--json")[1])["complete"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    status, _, err = tlkeras(*words, "--seed", 3)
    assert status == 2
    assert "recipe.seed: 0 then, 3 now" in err


def test_wrong_words_leave_no_folder(tlkeras: object, flower_folder: Path, tmp_path: Path) -> None:
    to = ("--to", tmp_path / "run")
    assert tlkeras("train", tmp_path / "nothing", *to)[0] == 2
    assert tlkeras("train", flower_folder, "--backbone", "MobilNetV2", *to)[0] == 2
    assert not list(tmp_path.iterdir())


def test_deterministic_is_a_knob_of_the_run_and_its_surroundings_are_told(
    tlkeras: object, flower_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    run = tmp_path / "run"
    assert tlkeras("train", flower_folder, *FROZEN, "--deterministic", "--to", run)[0] == 0
    assert json.loads((run / "recipe.json").read_text())["deterministic"] is True
    told = json.loads((run / "versions.json").read_text())
    assert told["OMP_NUM_THREADS"] == "2"
    assert {"processor", "cores", "blas", "onnxruntime"} <= told.keys()


@pytest.mark.slow
def test_ctrl_c_tells_what_there_is_and_the_same_command_goes_on(
    tlkeras: object, flower_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, frozen = tmp_path / "run", tmp_path / "run.unfinished" / "frozen"
    words = ("train", flower_folder, *TUNED, "--to", run)
    with monkeypatch.context() as patch:
        stop_at(patch, "fine-tuning", 2)
        status, out, err = tlkeras(*words)
    assert (status, out) == (130, "")
    assert f"is complete: {frozen}" in err
    assert "Fine-tuning is kept up to epoch 2" in err
    assert "--resume" in err
    assert not run.exists()

    status, _, err = tlkeras(*words)
    assert status == 2
    assert "--resume" in err
    assert "--force" in err
    picture = next((flower_folder / "rose").iterdir())
    assert tlkeras("predict", frozen, picture)[0] == 0
    status, _, err = tlkeras(*words, "--resume", "--set", "epochs=4")
    assert status == 2
    assert "recipe.epochs: 3 then, 4 now" in err

    assert tlkeras(*words, "--resume")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    whole = tmp_path / "whole"
    assert tlkeras("train", flower_folder, *TUNED, "--to", whole)[0] == 0
    assert json.loads((whole / "bundle.json").read_text())["backbone"]["fine_tuned"]
    assert_same(run, whole)
    assert (run / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()
