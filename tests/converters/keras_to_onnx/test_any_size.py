"""Pictures of any size, resized with antialias in front of the network."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from converters import UnsupportedError, keras_to_onnx


@pytest.fixture(scope="module")
def classifier():
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Resizing(12, 16, antialias=True)(image)
    x = keras.layers.Conv2D(4, 3, strides=2)(x)
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize("size", [(40, 31), (9, 50), (12, 16), (5, 7)])
def test_a_resizing_to_a_known_size_takes_any(classifier, tmp_path, size):
    path = keras_to_onnx(classifier, tmp_path / "c.onnx")
    assert onnx.load(path).opset_import[0].version == 18  # the first that has antialias
    x = np.random.default_rng(0).uniform(0, 255, (3, *size, 3)).astype(np.float32)
    (found,) = onnxruntime.InferenceSession(path).run(None, {"image": x})
    expected = np.asarray(classifier(x, training=False))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_an_opset_that_was_asked_for_is_not_changed(classifier, tmp_path):
    with pytest.raises(UnsupportedError, match="opset 18 or above"):
        keras_to_onnx(classifier, tmp_path / "c.onnx", opset=17, fallback=False)
    assert not list(tmp_path.iterdir())
