"""TensorFlow.js layers models: shards, quantised weights, Teachable Machine's export."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from converters import import_report
from converters.errors import ConversionError, ReadError, UnsafeFileError, UnsupportedError
from converters.tf_to_keras import tf_to_keras
from converters.tf_to_keras.tfjs import load, read_weights, tfjs_to_keras
from tests.converters.tf_to_keras.keras2_nets import (
    assert_equal_answers,
    assert_round_trip,
    inputs,
    randomise,
)

SHARD_BYTES = 700


def network() -> Any:
    tk = pytest.importorskip("tf_keras")
    layers = tk.layers
    inner = tk.Sequential(
        [
            layers.Conv2D(4, 3, activation="relu", input_shape=(8, 9, 3), name="conv"),
            layers.BatchNormalization(name="norm"),
        ],
        name="inner",
    )
    given = layers.Input((8, 9, 3))
    x = inner(given)
    x = layers.Bidirectional(layers.LSTM(3), name="both")(layers.Reshape((-1, 4))(x))
    return randomise(tk.Model(given, layers.Dense(3, name="dense")(x)))


def quantised(array: np.ndarray, dtype: str) -> tuple[dict[str, Any], bytes]:
    """What TensorFlow.js keeps of an array, by the formula of its converter."""
    if dtype == "float32":
        return {}, array.astype("<f4").tobytes()
    if dtype == "float16":
        return {"quantization": {"dtype": "float16", "original_dtype": "float32"}}, array.astype(
            "<f2"
        ).tobytes()
    levels = np.iinfo(dtype).max
    low, high = float(array.min()), float(array.max())
    scale = (high - low) / levels or 1.0
    steps = np.round((array - low) / scale).astype(np.dtype(dtype).newbyteorder("<"))
    return {"quantization": {"dtype": dtype, "scale": scale, "min": low}}, steps.tobytes()


def written(model: Any, folder: Path, dtype: str = "float32") -> Path:
    """The model as TensorFlow.js's converter writes it, in small shards."""
    weights, data = [], b""
    for variable, array in zip(model.weights, model.get_weights(), strict=True):
        extra, stored = quantised(array, dtype)
        name = variable.name.split(":")[0]
        weights.append({"name": name, "shape": list(array.shape), "dtype": "float32"} | extra)
        data += stored
    paths = []
    for number, start in enumerate(range(0, len(data), SHARD_BYTES)):
        paths.append(f"group1-shard{number}.bin")
        (folder / paths[-1]).write_bytes(data[start : start + SHARD_BYTES])
    topology = {"keras_version": "2.19.0", "model_config": json.loads(model.to_json())}
    said = {
        "format": "layers-model",
        "modelTopology": topology,
        "weightsManifest": [{"paths": paths, "weights": weights}],
    }
    (folder / "model.json").write_text(json.dumps(said))
    return folder / "model.json"


def changed(path: Path, edit: Callable[[Any], None]) -> Path:
    said = json.loads(path.read_text())
    edit(said)
    path.write_text(json.dumps(said))
    return path


def test_sharded_model_answers_as_in_keras_2(tmp_path: Path) -> None:
    source = network()
    path = written(source, tmp_path)
    assert len(list(tmp_path.glob("*.bin"))) > 1
    model = tfjs_to_keras(path)
    assert_equal_answers(source, model)
    assert_equal_answers(source, tf_to_keras(tmp_path))
    assert_round_trip(model, inputs(source), tmp_path)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16"])
def test_quantised_weights_become_real_numbers(dtype: str, tmp_path: Path) -> None:
    source = network()
    path = written(source, tmp_path, dtype)
    manifest = json.loads(path.read_text())["weightsManifest"]
    stored = dict(read_weights(manifest, tmp_path))
    for variable, array in zip(source.weights, source.get_weights(), strict=True):
        step = {"uint8": 255, "uint16": 65535, "float16": 1000}[dtype]
        limit = np.ptp(array) / step + np.abs(array).max() / 1000 * (dtype == "float16")
        found = stored[variable.name.split(":")[0]]
        assert found.dtype == np.float32
        assert np.abs(found - array).max() <= limit + 1e-6
    source.set_weights([stored[v.name.split(":")[0]] for v in source.weights])
    assert_equal_answers(source, tfjs_to_keras(path))


def test_teachable_machine_export_comes_home(shared_data: Path) -> None:
    folder = shared_data / "weights" / "tfjs" / "teachable_machine_mnv2_035"
    model, found = load(folder)
    assert found.labels == ("Ángel", "Móvil")
    assert found.preprocessing is not None
    said = found.preprocessing
    assert (said.scale, said.offset, said.image_size_px) == (1 / 127.5, -1.0, 224)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert model.input_shape == (None, 224, 224, 3)
    assert model.output_shape == (None, 2)
    backbone = keras.applications.MobileNetV2((224, 224, 3), 0.35, include_top=False, weights=None)
    weights = shared_data / "weights" / "keras" / "mobilenetv2_0.35_224_notop.weights.h5"
    backbone.load_weights(weights)
    ours = {layer.name: layer for layer in model.layers}
    compared = 0
    for layer in backbone.layers:
        for one, two in (
            zip(layer.get_weights(), ours[layer.name].get_weights(), strict=True)
            if (layer.weights)
            else ()
        ):
            np.testing.assert_array_equal(one, two)
            compared += 1
    assert compared == 260


@pytest.mark.slow
def test_teachable_machine_backbone_tells_cats_from_dogs(shared_data: Path, tmp_path: Path) -> None:
    model = tf_to_keras(shared_data / "weights" / "tfjs" / "teachable_machine_mnv2_035")
    report = import_report(model)
    assert report.labels == ("Ángel", "Móvil")
    assert report.preprocessing["offset"] == "-1.0"
    backbone = keras.Model(model.input, model.layers[-3].output)
    pictures = [
        keras.utils.load_img(path, target_size=(224, 224))
        for kind in ("cat", "dog")
        for path in sorted((shared_data / "datasets" / "cats_dogs" / kind).iterdir())[:90]
    ]
    stack = np.stack([np.asarray(picture, np.float32) for picture in pictures]) / 127.5 - 1
    features = np.asarray(backbone.predict(stack, batch_size=30, verbose=0))
    truth = np.repeat([-1.0, 1.0], 90)
    held = np.arange(180) % 3 == 0
    gram = features[~held] @ features[~held].T
    weights = np.linalg.solve(gram + np.eye(len(gram)) * np.trace(gram) * 1e-3, truth[~held])
    right = np.sign(features[held] @ features[~held].T @ weights) == truth[held]
    assert right.mean() >= 0.85
    model.save(tmp_path / "home.keras")
    again = keras.models.load_model(tmp_path / "home.keras")
    np.testing.assert_array_equal(
        model(stack[:3], training=False), again(stack[:3], training=False)
    )


def test_shards_outside_the_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    path = written(network(), folder)
    (tmp_path / "secret.bin").write_bytes(b"x")
    for name in ("../secret.bin", str(tmp_path / "secret.bin"), "."):
        changed(path, lambda said, name=name: said["weightsManifest"][0].update(paths=[name]))
        with pytest.raises(UnsafeFileError, match="leads elsewhere"):
            tf_to_keras(folder)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    changed(path, lambda said: said["weightsManifest"][0].update(paths=["link.bin"]))
    with pytest.raises(UnsafeFileError, match="leads elsewhere"):
        tf_to_keras(folder)


def test_broken_shards_are_told(tmp_path: Path) -> None:
    path = written(network(), tmp_path)
    shard = tmp_path / "group1-shard1.bin"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1])
    with pytest.raises(ReadError, match="Download all shards"):
        tf_to_keras(path)
    shard.unlink()
    with pytest.raises(ReadError, match=r"group1-shard1\.bin"):
        tf_to_keras(path)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda weight: weight.update(shape=[10**9, 10**9]), "Download all shards"),
        (lambda weight: weight.update(shape=[-1, 4]), "whole sizes"),
        (lambda weight: weight.update(dtype="string"), "string"),
        (lambda weight: weight.update(name="nobody/kernel"), "named after layers"),
        (lambda weight: weight.update(quantization={"dtype": "int4"}), "int4"),
    ],
)
def test_false_manifest_is_told(edit: Callable[[Any], None], told: str, tmp_path: Path) -> None:
    path = written(network(), tmp_path)
    changed(path, lambda said: edit(said["weightsManifest"][0]["weights"][0]))
    with pytest.raises(ReadError, match=told):
        tf_to_keras(path)


def test_cut_json_and_other_json_are_told(tmp_path: Path) -> None:
    path = written(network(), tmp_path)
    whole = path.read_text()
    for text in (whole[: len(whole) // 2], "{}", '{"modelTopology": {}}', '{"a":' * 5000):
        path.write_text(text)
        with pytest.raises(ConversionError):
            tf_to_keras(path)


def test_graph_model_is_told_from_a_layers_model(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(
        json.dumps({"format": "graph-model", "modelTopology": {"node": []}})
    )
    with pytest.raises(UnsupportedError, match="SavedModel"):
        tf_to_keras(tmp_path)


def test_weights_of_the_backbone_are_in_the_file_of_keras(shared_data: Path) -> None:
    folder = shared_data / "weights"
    model = tf_to_keras(folder / "tfjs" / "teachable_machine_mnv2_035" / "model.json")
    with h5py.File(folder / "keras" / "mobilenetv2_0.35_224_notop.weights.h5") as file:
        first = file["layers/conv2d/vars/0"][()]
    np.testing.assert_array_equal(model.get_layer("Conv1").get_weights()[0], first)
