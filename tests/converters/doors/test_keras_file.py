import json
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from converters import ReadError, UnsafeFileError
from converters.doors.keras_file import check_keras, configs_of, open_keras


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, name="d"), layers.Softmax()])


@pytest.mark.parametrize(
    ("written", "given"),
    [("a.keras", "a.keras"), ("a.h5", "a.h5"), ("a.keras", "a.bin"), ("a.h5", "a.keras"),
     ("a.keras", "a.h5"), ("a.h5", "a")],
)  # fmt: skip
def test_files_open_by_their_content(
    network: keras.Model, tmp_path: Path, written: str, given: str
) -> None:
    network.save(tmp_path / written)
    (tmp_path / written).rename(tmp_path / given)
    model = open_keras(tmp_path / given)
    row = np.array([[1.0, -2.0, 3.0, 0.5]], "float32")
    np.testing.assert_array_equal(model(row), network(row))


def test_lambda_is_refused_before_keras_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x, name="evil")])
    monkeypatch.setattr(keras.saving, "load_model", lambda *a, **k: pytest.fail("Keras saw it"))
    for name in ("a.keras", "a.h5"):
        model.save(tmp_path / name)
        with pytest.raises(UnsafeFileError, match=r"Lambda evil.*not run here.*keras_to_onnx"):
            open_keras(tmp_path / name)


@pytest.mark.parametrize("member", ["model.weights.npz", "model.weights.json", "run.py"])
def test_other_members_are_refused(network: keras.Model, tmp_path: Path, member: str) -> None:
    network.save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras", "a") as archive:
        archive.writestr(member, b"")
    with pytest.raises(ReadError, match=member):
        check_keras(tmp_path / "a.keras")


def test_link_in_the_weights_is_refused_where_weights_are_read(
    network: keras.Model, tmp_path: Path
) -> None:
    path, store = tmp_path / "a.keras", tmp_path / "w.h5"
    network.save(path)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    store.write_bytes(content["model.weights.h5"])
    with h5py.File(store, "r+") as file:
        file["layers/secret"] = h5py.ExternalLink("/etc/secret.h5", "/x")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (content | {"model.weights.h5": store.read_bytes()}).items():
            archive.writestr(name, data)
    assert check_keras(path, weights=False)
    with pytest.raises(UnsafeFileError, match="ExternalLink"):
        open_keras(path)


def test_weights_alone_say_what_to_do(network: keras.Model, tmp_path: Path) -> None:
    network.save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(ReadError, match=r"weights only.*weights=…"):
        open_keras(tmp_path / "a.weights.h5")


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x80\x04.", b"PK\x03\x04 cut", b"\x89HDF\r\n"]
)
def test_no_keras_file_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.keras").write_bytes(content)
    with pytest.raises(ReadError, match=r"download (or save )?it again"):
        open_keras(tmp_path / "a.keras")


def test_how_it_was_compiled_is_told(network: keras.Model, tmp_path: Path) -> None:
    network.compile("adam", "mse")
    for name in ("a.keras", "a.h5"):
        network.save(tmp_path / name)
        config, compiled = configs_of(tmp_path / name)
        assert "Dense" in json.dumps(config)
        assert "mse" in json.dumps(compiled)
