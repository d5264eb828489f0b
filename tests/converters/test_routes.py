"""Kinds of file are told by content; every route of the table is one that can be gone."""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import converters
from converters import routes
from converters.errors import ArchitectureNeededError, ConversionError, ReadError
from converters.kinds import kind_of

REAL = {
    "onnx/mobilenet_v1_0.25_224_top.onnx": "onnx",
    "tflite/mobilenet_v1_0.25_224_1_default_1.tflite": "tflite",
    "torch/ultraface_version-slim-320.pth": "state_dict",
    "tfjs/teachable_machine_mnv2_035": "tfjs",
    "tfjs/teachable_machine_mnv2_035/model.json": "tfjs",
    "original_h5/mobilenet_2_5_224_tf_no_top.h5": "weights_h5",
    "keras/mobilenet_0.25_224_notop.weights.h5": "weights_h5",
}


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_told_by_their_content(name: str, shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "weights" / name
    assert kind_of(path) == REAL[name]
    if path.is_file() and REAL[name] != "tfjs":
        unnamed = tmp_path / "file"
        unnamed.write_bytes(path.read_bytes())
        assert kind_of(unnamed) == REAL[name]


@pytest.fixture(scope="module")
def net() -> keras.Model:
    image = keras.Input((6, 8, 3), name="x")
    hidden = keras.layers.Conv2D(4, (2, 3), activation="relu", name="conv")(image)
    return keras.Model(image, keras.layers.Dense(2, name="fc")(keras.layers.Flatten()(hidden)))


def test_keras_and_tensorflow_files_are_told(net: keras.Model, tmp_path: Path) -> None:
    net.save(tmp_path / "a.keras")
    net.save(tmp_path / "a.h5")
    net.save_weights(tmp_path / "a.weights.h5")
    net.export(tmp_path / "saved", verbose=False)
    for name, kind in {
        "a.keras": "keras",
        "a.h5": "keras2_h5",
        "a.weights.h5": "weights_h5",
        "saved": "saved_model",
        "saved/saved_model.pb": "saved_model",
    }.items():
        assert kind_of(tmp_path / name) == kind, name
    with zipfile.ZipFile(tmp_path / "old.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
    assert kind_of(tmp_path / "old.keras") == "keras2"


def test_graph_def_and_onnx_are_told_apart_without_a_suffix(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    graph = tf.Graph()
    with graph.as_default():
        tf.compat.v1.placeholder("float32", [None, 3], name="x")
    (tmp_path / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    assert kind_of(tmp_path / "graph.pb") == "frozen_graph"


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.onnx", None), ("a.bin", b"hello"), ("a.keras", b"PK\x03\x04cut"), ("a.json", b"{}"),
     ("a.h5", b"\x89HDF\r\n\x1a\n"), ("a.json", b"{"), ("a.pt", b"\x80\x04K\x01.")],
)  # fmt: skip
def test_what_is_no_network_is_told(name: str, content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ReadError):
        kind_of(tmp_path / name)
    with pytest.raises(ReadError):
        converters.convert(tmp_path / name, tmp_path / "b.keras")
    with pytest.raises(ReadError):
        kind_of(tmp_path)


def test_target_is_told_by_its_suffix() -> None:
    for name, label in {
        "a.keras": "Keras 3",
        "a.ONNX": "ONNX",
        "a.pth": "PyTorch",
        "serve/1": "SavedModel",
        "serve/1.5": "SavedModel",
        "a.tflite": "LiteRT",
    }.items():
        assert routes.target_of(name).label == label
    with pytest.raises(ConversionError, match=r"\.keras"):
        routes.target_of("a.doc")


def test_table_names_functions_that_are_there() -> None:
    table = routes.routes_table().splitlines()
    assert len({line.count("|") for line in table}) == 1
    assert len(table) == 2 + len(routes.SOURCES)
    for name in {s.reader for s in routes.SOURCES} | {t.writer for t in routes.TARGETS}:
        if name == "hub_to_keras":
            continue
        assert name in ("save", "load_model") or name in converters.__all__, name


def test_weights_alone_need_their_network(net: keras.Model, tmp_path: Path) -> None:
    net.save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(ArchitectureNeededError, match="load_weights"):
        converters.convert(tmp_path / "a.weights.h5", tmp_path / "b.onnx")


def test_keras_to_onnx_and_back(net: keras.Model, tmp_path: Path) -> None:
    net.save(tmp_path / "a.keras")
    there = converters.convert(tmp_path / "a.keras", tmp_path / "b.onnx")
    assert there.route == ("load_model", "keras_to_onnx")
    assert there.report is None
    back = converters.convert(tmp_path / "b.onnx", tmp_path / "c.keras")
    assert back.route == ("onnx_to_keras", "save")
    assert back.report is not None
    assert back.report.passed
    x = np.random.default_rng(0).normal(size=(3, 6, 8, 3)).astype(np.float32)
    found = keras.models.load_model(tmp_path / "c.keras")(x, training=False)
    np.testing.assert_allclose(found, net(x, training=False), rtol=1e-5, atol=1e-6)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.keras", "b.onnx", "c.keras"]


def test_torch_options_are_refused_for_other_files(net: keras.Model, tmp_path: Path) -> None:
    net.save(tmp_path / "a.h5")
    with pytest.raises(ConversionError, match="architecture"):
        converters.convert(tmp_path / "a.h5", tmp_path / "b.keras", architecture=object)
