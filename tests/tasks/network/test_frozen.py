"""A frozen backbone is recognised without being built, and its files are never believed blindly."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tlkeras.disk import leftovers
from tlkeras.errors import TlkerasError, WeightsError
from tlkeras.tasks.network import frozen as module
from tlkeras.tasks.network.assembly import BackboneSource
from tlkeras.tasks.network.frozen import HASHES, KERAS, ONNX


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLKERAS_CACHE", str(cache))


@pytest.fixture(scope="module")
def written(cache: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLKERAS_CACHE", str(cache))
        return BackboneSource("TinyResNet", "builtin").frozen().write_files()


def test_files_answer_as_the_model_does(written: Path) -> None:
    import keras

    from tlkeras.features.engines.onnxruntime import onnxruntime_engine

    pixels = np.random.default_rng(0).uniform(0, 255, (3, 64, 64, 3)).astype("float32")
    side = BackboneSource("TinyResNet", "builtin").frozen().spec.size_px
    pixels = pixels.repeat(-(-side // 64), 1).repeat(-(-side // 64), 2)[:, :side, :side]
    expected = keras.models.load_model(written / KERAS)(pixels, training=False)
    found = onnxruntime_engine(written / ONNX, streams=1)(pixels)
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
    assert np.ptp(found, axis=0).max() > 1e-3


def test_known_backbone_is_not_built(written: Path) -> None:
    again = BackboneSource("TinyResNet", "builtin").frozen(seed=5)
    assert again.fingerprint == written.name
    assert again.files == written
    assert not again.is_built


def test_other_weights_are_another_backbone(written: Path) -> None:
    untrained = [BackboneSource("TinyResNet", None).frozen(seed) for seed in (0, 1)]
    names = {written.name, *(one.fingerprint for one in untrained)}
    assert len(names) == 3
    known = BackboneSource("TinyResNet", None).frozen(1)
    assert known.fingerprint == untrained[1].fingerprint
    assert not known.is_built


def test_changed_weight_file_is_another_backbone(tmp_path: Path) -> None:
    path = tmp_path / "mine.weights.h5"
    model = BackboneSource("TinyResNet", "builtin").frozen().model
    model.save_weights(path)
    first = BackboneSource("TinyResNet", path).frozen().fingerprint
    changed = [layer for layer in model.layers if layer.weights][-1]
    changed.set_weights([2 * value for value in changed.get_weights()])
    model.save_weights(path)
    assert BackboneSource("TinyResNet", path).frozen().fingerprint != first


def test_missing_weight_file_is_told_when_it_is_needed(tmp_path: Path) -> None:
    source = BackboneSource("TinyResNet", tmp_path / "gone.weights.h5")
    with pytest.raises(WeightsError, match="gone"):
        source.frozen().fingerprint  # noqa: B018


@pytest.mark.parametrize("name", [ONNX, KERAS, HASHES])
def test_damaged_files_are_written_again(written: Path, name: str) -> None:
    path = written / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    again = BackboneSource("TinyResNet", "builtin").frozen()
    assert again.files is None
    assert again.write_files() == written
    assert BackboneSource("TinyResNet", "builtin").frozen().files == written


@pytest.mark.parametrize("content", ["[" * 100_000, "{}", "[]", '{"backbone.onnx": null}'])
def test_hashes_that_tell_nothing_are_written_again(written: Path, content: str) -> None:
    (written / HASHES).write_text(content)
    again = BackboneSource("TinyResNet", "builtin").frozen()
    assert again.files is None
    assert again.write_files() == written
    assert again.files == written


@pytest.mark.parametrize("content", ["[" * 100_000, "null", '{"fingerprint": [1]}'])
def test_a_fingerprint_that_cannot_be_read_is_found_again(
    written: Path, cache: Path, content: str
) -> None:
    known = list((cache / "backbones" / "known").iterdir())
    for path in known:
        path.write_text(content)
    again = BackboneSource("TinyResNet", "builtin").frozen()
    assert again.fingerprint == written.name
    assert again.is_built
    assert BackboneSource("TinyResNet", "builtin").frozen().fingerprint == written.name


def test_oldest_files_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "MOST_KEPT", 1)
    first = BackboneSource("TinyResNet", "builtin").frozen().write_files()
    second = BackboneSource("TinyResNet", None).frozen().write_files()
    assert not first.exists()
    assert second.exists()


def test_released_model_is_built_again() -> None:
    frozen = BackboneSource("TinyResNet", "builtin").frozen()
    first = frozen.model
    frozen.release()
    assert frozen.model is not first
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 70, 50, 3)).astype("float32")
    assert np.array_equal(frozen.model(pixels), first(pixels))


def test_wrong_bit_in_a_known_fingerprint_is_noticed(written: Path) -> None:
    known = [
        path for path in (written.parent / "known").iterdir() if written.name in path.read_text()
    ]
    for path in known:
        text = path.read_text()
        place = text.index(written.name)
        path.write_text(text[:place] + ("1" if text[place] == "0" else "0") + text[place + 1 :])
    assert BackboneSource("TinyResNet", "builtin").frozen().fingerprint == written.name
    assert known


def test_files_that_another_process_wrote_meanwhile_stay(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two need the same backbone: what the first has written may be in use when the second ends."""
    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path))
    slow = BackboneSource("TinyResNet", "builtin").frozen()
    target = tmp_path / "backbones" / written.name

    def other(file: Path) -> None:
        shutil.copytree(written, target)

    monkeypatch.setattr(slow, "_compare", other)
    before = written / ONNX
    assert slow.write_files() == target
    assert (target / KERAS).read_bytes() == (written / KERAS).read_bytes()
    assert (target / ONNX).read_bytes() == before.read_bytes()
    assert not list(leftovers(tmp_path / "backbones"))


def test_litert_file_is_written_beside_what_may_be_read(written: Path) -> None:
    before = {path.name: path.read_bytes() for path in written.iterdir() if path.is_file()}
    frozen = BackboneSource("TinyResNet", "builtin").frozen()
    try:
        file = frozen.litert_file()
    except TlkerasError as error:
        pytest.skip(f"LiteRT can't write it here: {error}")
    assert {path.name: path.read_bytes() for path in written.iterdir() if path.is_file()} == before
    stamp = file.stat().st_mtime_ns
    assert frozen.litert_file().stat().st_mtime_ns == stamp
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    assert len(frozen.litert_file().read_bytes()) > len(content) // 2


def test_files_in_a_cache_that_can_only_be_read_are_used(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "utime", refuse)
    assert BackboneSource("TinyResNet", "builtin").frozen().files == written
