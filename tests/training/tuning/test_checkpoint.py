"""The file that an epoch leaves: whole, of this work, and nothing that runs."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tlkeras.errors import TrainingError
from tlkeras.training.tuning.checkpoint import FILE, Checkpoint, differences, told
from tlkeras.training.tuning.state import Judged, State

WORK = {"recipe": {"epochs": 3}, "pictures": "3fa9"}


def state(epoch: int = 2) -> State:
    rng = np.random.default_rng(epoch)
    return State(
        phase="fine-tuning",
        epoch=epoch,
        frozen=Judged(0.1, 1 / 3),
        best=Judged(0.7, 0.1 + 0.2),
        best_epoch=1,
        history=[{"epoch": 1.0, "loss": 1 / 7}],
        stopped="",
        weights=[rng.normal(size=(3, 2)).astype("float32"), np.zeros((0, 4), "float32")],
        optimizer=[np.array(epoch), *(np.full(2, number, "float32") for number in range(12))],
        best_weights=[rng.normal(size=(3, 2)).astype("float32"), np.zeros((0, 4), "float32")],
    )


def test_what_is_read_is_what_was_written_to_the_last_bit(tmp_path: Path) -> None:
    written = state()
    Checkpoint(tmp_path / "new", WORK).write(written)
    found = Checkpoint(tmp_path / "new", WORK).read()
    for group in ("weights", "optimizer", "best_weights"):
        ours, theirs = getattr(found, group), getattr(written, group)
        assert [one.dtype for one in ours] == [one.dtype for one in theirs]
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    figures = ("phase", "epoch", "frozen", "best", "best_epoch", "history", "stopped")
    assert all(getattr(found, name) == getattr(written, name) for name in figures)
    assert told(tmp_path / "new") == ("fine-tuning", 2)


def test_there_is_none_at_first(tmp_path: Path) -> None:
    assert Checkpoint(tmp_path, WORK).read() is None
    assert told(tmp_path) is None


def test_new_one_takes_the_place_of_the_old_and_leaves_no_other_file(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, WORK)
    checkpoint.write(state(1))
    checkpoint.write(state(2))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert checkpoint.read().epoch == 2


def test_other_work_is_refused_and_named(tmp_path: Path) -> None:
    Checkpoint(tmp_path, WORK).write(state())
    other = Checkpoint(tmp_path, {**WORK, "pictures": "41aa"})
    with pytest.raises(TrainingError, match="pictures: '3fa9' then, '41aa' now"):
        other.read()


def test_every_flipped_bit_of_an_array_is_noticed(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, WORK)
    checkpoint.write(state())
    content = checkpoint.path.read_bytes()
    rng = np.random.default_rng(0)
    at = content.index(state().weights[0].tobytes())
    for _ in range(20):
        damaged = bytearray(content)
        damaged[at + int(rng.integers(24))] ^= 1 << int(rng.integers(8))
        checkpoint.path.write_bytes(damaged)
        assert checkpoint.read() is None


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_cut_file_is_no_state(tmp_path: Path, share: float) -> None:
    checkpoint = Checkpoint(tmp_path, WORK)
    checkpoint.write(state())
    content = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(content[: int(share * len(content))])
    assert checkpoint.read() is None
    assert told(tmp_path) is None


@pytest.mark.parametrize("content", [b"[" * 100_000, b"[1]", b"null", b"\xff"])
def test_figures_that_cannot_be_read_are_no_state(tmp_path: Path, content: bytes) -> None:
    Checkpoint(tmp_path, WORK).write(state())
    with np.load(tmp_path / FILE) as file:
        arrays = dict(file)
    np.savez(tmp_path / FILE, **{**arrays, "told": np.frombuffer(content, np.uint8)})
    assert Checkpoint(tmp_path, WORK).read() is None
    assert told(tmp_path) is None


class Payload:
    """Runs when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("kind", ["pickle", "member"])
def test_pickle_is_not_run(tmp_path: Path, kind: str) -> None:
    canary, file = tmp_path / "canary", tmp_path / FILE
    if kind == "pickle":
        file.write_bytes(pickle.dumps(Payload(canary)))
    else:
        with file.open("wb") as open_file:
            np.savez(open_file, told=np.array([Payload(canary)], object))
    assert Checkpoint(tmp_path, WORK).read() is None
    assert told(tmp_path) is None
    assert not canary.exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(TrainingError, match=tmp_path.name):
        Checkpoint(tmp_path, WORK).write(state())


def test_name_taken_by_a_folder_is_told_and_it_stays(tmp_path: Path) -> None:
    (tmp_path / FILE / "mine").mkdir(parents=True)
    with pytest.raises(TrainingError, match="Each epoch of fine-tuning is kept in"):
        Checkpoint(tmp_path, WORK).write(state())
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert (tmp_path / FILE / "mine").is_dir()


def test_file_of_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("tlkeras.training.tuning.checkpoint.FORMAT", 2)
        Checkpoint(tmp_path, WORK).write(state())
    with pytest.raises(TrainingError, match="format 2"):
        Checkpoint(tmp_path, WORK).read()


def test_infinite_loss_comes_back(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, WORK)
    checkpoint.write(replace(state(), best=Judged(-1.0, float("inf"))))
    assert checkpoint.read().best == Judged(-1.0, float("inf"))


def test_knob_that_one_side_lacks_differs() -> None:
    assert differences({"a": {}}, {"a": {"b": 1}}) == ["a.b: None then, 1 now"]
