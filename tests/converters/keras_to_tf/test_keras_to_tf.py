"""SavedModels: same answers, named signature, variables kept, whole or not at all."""

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from converters import keras_to_tf as module
from converters.errors import ConversionError, MismatchError
from converters.keras_to_tf import keras_to_tf
from tests.converters.keras_to_onnx.nets import randomised


@pytest.fixture(scope="module")
def model() -> keras.Model:
    image = keras.Input((9, 7, 3), name="image")
    y = layers.BatchNormalization()(layers.Conv2D(4, 3)(image))
    pooled = layers.GlobalAveragePooling2D()(layers.ReLU()(y))
    scores = layers.Dense(3, activation="softmax", dtype="float32")(pooled)
    return randomised(keras.Model(image, {"scores": scores, "embedding": pooled}))


def test_signature_has_the_models_names(model: keras.Model, tmp_path: Path) -> None:
    folder = keras_to_tf(model, tmp_path / "served")
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    pixels = np.random.default_rng(0).normal(size=(5, 9, 7, 3)).astype(np.float32)
    found = signature(image=tf.constant(pixels))
    expected = model(pixels, training=False)
    for name in ("scores", "embedding"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)


def test_weights_stay_variables(model: keras.Model, tmp_path: Path) -> None:
    loaded = tf.saved_model.load(str(keras_to_tf(model, tmp_path / "served")))
    assert len(loaded.weights) == len(model.weights)
    assert sum(v.trainable for v in loaded.weights) == len(model.trainable_weights)
    with tf.GradientTape() as tape:
        answer = loaded.signatures["serving_default"](image=tf.ones((2, 9, 7, 3)))
        total = tf.reduce_sum(answer["embedding"])
    kernel = next(v for v in loaded.weights if len(v.shape) == 4)
    assert np.abs(tape.gradient(total, kernel)).max() > 0


def test_tensorflow_does_not_tell_of_the_folder_it_writes(
    model: keras.Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tensorflow")
    tf.get_logger().addHandler(caplog.handler)
    try:
        keras_to_tf(model, tmp_path / "served")
    finally:
        tf.get_logger().removeHandler(caplog.handler)
    assert not [record.message for record in caplog.records if record.name == "tensorflow"]
    assert tf.get_logger().level == logging.INFO


def test_half_precision_gives_float32(tmp_path: Path) -> None:
    half = keras.Sequential([keras.Input((6,)), layers.Dense(3, dtype="mixed_float16")])
    loaded = tf.saved_model.load(str(keras_to_tf(randomised(half), tmp_path / "served")))
    (output,) = loaded.signatures["serving_default"].structured_outputs.values()
    assert output.dtype == tf.float32


def test_strings_and_their_table(tmp_path: Path) -> None:
    words = keras.Input((3,), dtype="string")
    places = layers.StringLookup(vocabulary=["a", "b", "c"])(words)
    model = keras.Model(words, layers.Dense(2)(layers.CategoryEncoding(4, "multi_hot")(places)))
    keras_to_tf(model, tmp_path / "served", inputs=[np.array([["a", "b", "x"], ["c", "c", "a"]])])


def test_old_savedmodel_is_replaced(model: keras.Model, tmp_path: Path) -> None:
    folder = keras_to_tf(model, tmp_path / "served")
    keras_to_tf(model, folder)
    assert [entry.name for entry in tmp_path.iterdir()] == ["served"]


def test_other_folders_are_refused(model: keras.Model, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConversionError, match=r"thesis\.txt"):
        keras_to_tf(model, tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_mismatch_leaves_nothing(
    model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: Any) -> Any:
        return lambda fed: [np.ones((len(fed[0]), size), np.float32) for size in (4, 3)]

    monkeypatch.setattr(module, "_served", wrong)
    with pytest.raises(MismatchError):
        keras_to_tf(model, tmp_path / "served")
    assert not list(tmp_path.iterdir())
