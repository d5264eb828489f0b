"""E8: what a saved model may be made of."""

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import pytest
from keras import layers

from tlkeras.bundle.bundle import Bundle
from tlkeras.bundle.portable import check_portable
from tlkeras.bundle.read import load
from tlkeras.bundle.write import save
from tlkeras.errors import BundleError


class Mine(layers.Layer):
    """Known to this process only."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs


def own_activation(inputs: keras.KerasTensor) -> keras.KerasTensor:
    return inputs


def model_of(middle: Sequence[layers.Layer]) -> keras.Model:
    inputs = keras.Input((None, None, 3))
    tensor = layers.GlobalAveragePooling2D()(inputs)
    for layer in middle:
        tensor = layer(tensor)
    return keras.Model(inputs, layers.Dense(4, "softmax")(tensor))


def test_a_saved_run_has_nothing_from_outside_keras(bundle: Bundle, tmp_path: Path) -> None:
    path = save(bundle, tmp_path / "run") / "model.keras"
    with zipfile.ZipFile(path) as archive:
        text = archive.read("config.json").decode()
    assert "tlkeras" not in text
    assert "ambda" not in text
    check_portable(path)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(3, "gelu", kernel_regularizer="l2", dtype="mixed_float16"),
        layers.Activation(keras.activations.relu),
        layers.BatchNormalization(gamma_constraint=keras.constraints.NonNeg()),
        model_of([]),
    ],
    ids=lambda layer: layer.name,
)
def test_what_keras_brings_is_portable(layer: layers.Layer, tmp_path: Path) -> None:
    inputs = keras.Input((None, None, 3))
    tensor = layer(inputs) if isinstance(layer, keras.Model) else None
    if tensor is None:
        tensor = layer(layers.GlobalAveragePooling2D()(keras.ops.flip(inputs, axis=-1) - 1.5))
    path = tmp_path / "model.keras"
    keras.Model(inputs, tensor).save(path)
    check_portable(path)


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (Mine(name="odd"), "Mine odd"),
        (layers.Lambda(own_activation, output_shape=(3,), name="code"), "Lambda code"),
        (layers.Activation(own_activation), "function own_activation"),
    ],
    ids=["custom layer", "lambda", "function"],
)
def test_what_others_cannot_open_is_refused_by_name(
    bundle_of: Callable[[keras.Model], Bundle], tmp_path: Path, layer: layers.Layer, named: str
) -> None:
    with pytest.raises(BundleError, match=f"got {named}"):
        save(bundle_of(model_of([layer])), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_code_that_was_put_into_a_run_is_refused_before_keras_sees_it(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's run folder has right hashes, too."""
    folder = save(bundle, tmp_path / "run")
    evil = model_of([layers.Lambda(own_activation, output_shape=(3,), name="evil")])
    evil.save(folder / "model.keras")
    from tlkeras.bundle.index import sha256

    index = json.loads((folder / "bundle.json").read_text())
    index["sha256"]["model.keras"] = sha256(folder / "model.keras")
    (folder / "bundle.json").write_text(json.dumps(index))
    monkeypatch.setattr(keras.models, "load_model", lambda *args, **kw: pytest.fail("opened"))
    with pytest.raises(BundleError, match="Lambda evil"):
        load(folder)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n", b"PK\x03\x04 cut"])
def test_what_is_no_model_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"Keras 3 model file.*Received: model\.keras"):
        check_portable(path)
