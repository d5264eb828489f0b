"""LiteRT files: same answers in float32, float16 and dynamic range, whole or not at all."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from converters import keras_to_litert as module
from converters.errors import ConversionError, MismatchError
from converters.keras_to_litert import keras_to_litert
from tests.converters.keras_to_onnx.nets import randomised

interpreters = pytest.importorskip("ai_edge_litert.interpreter")


@pytest.fixture(scope="module")
def model() -> keras.Model:
    image = keras.Input((9, 7, 3), name="image")
    y = layers.BatchNormalization()(layers.Conv2D(24, 3)(image))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(32, 3, activation="relu")(y))
    return randomised(keras.Model(image, layers.Dense(5, name="scores")(pooled)))


def test_signature_has_the_models_names_and_an_open_batch(
    model: keras.Model, tmp_path: Path
) -> None:
    path = keras_to_litert(model, tmp_path / "a.tflite")
    interpreter = interpreters.Interpreter(model_path=str(path))
    run = interpreter.get_signature_runner("serving_default")
    for batch in (1, 4):
        pixels = np.random.default_rng(batch).normal(size=(batch, 9, 7, 3)).astype(np.float32)
        expected = np.asarray(model(pixels, training=False))
        found = run(image=pixels)["scores"]
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_without_the_extra_tensorflows_own_interpreter_is_asked(
    model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.warns(UserWarning, match="deprecated"):
        path = keras_to_litert(model, tmp_path / "a.tflite")
    assert path.stat().st_size > 0


def test_float16_halves_the_file(model: keras.Model, tmp_path: Path) -> None:
    whole = keras_to_litert(model, tmp_path / "a.tflite").stat().st_size
    half = keras_to_litert(model, tmp_path / "b.tflite", quantize="float16").stat().st_size
    assert half < 0.7 * whole


def test_dynamic_range_is_smaller_still(model: keras.Model, tmp_path: Path) -> None:
    half = keras_to_litert(model, tmp_path / "b.tflite", quantize="float16").stat().st_size
    dynamic = keras_to_litert(model, tmp_path / "c.tflite", quantize="dynamic").stat().st_size
    assert dynamic < half


def test_mixed_precision_is_written_in_float32(tmp_path: Path) -> None:
    half = keras.Sequential(
        [keras.Input((9, 7, 3)), layers.Conv2D(4, 3, dtype="mixed_float16"), layers.Flatten()]
    )
    keras_to_litert(randomised(half), tmp_path / "a.tflite")


def test_unknown_quantisation_lists_the_known(model: keras.Model, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"dynamic.*float16.*came 'int4'"):
        keras_to_litert(model, tmp_path / "a.tflite", quantize="int4")  # type: ignore[arg-type]


def test_mismatch_leaves_the_old_file(
    model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.tflite").write_bytes(b"old")
    monkeypatch.setattr(
        module, "_interpreter", lambda *_: lambda fed: [np.ones((len(fed[0]), 5), np.float32)]
    )
    with pytest.raises(MismatchError):
        keras_to_litert(model, tmp_path / "a.tflite")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tflite"]
    assert (tmp_path / "a.tflite").read_bytes() == b"old"
