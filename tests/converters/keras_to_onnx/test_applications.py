"""Networks of Keras Applications, untrained, with random statistics."""

from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from keras import layers

from converters.keras_to_onnx import keras_to_onnx
from tests.converters.keras_to_onnx.nets import nodes_of

SIZES = {
    "ConvNeXtTiny": 64,
    "DenseNet121": 64,
    "EfficientNetV2B0": 64,
    "InceptionResNetV2": 96,
    "InceptionV3": 96,
    "MobileNet": 96,
    "MobileNetV2": 64,
    "MobileNetV3Small": 64,
    "NASNetMobile": 64,
    "ResNet50": 64,
    "ResNet50V2": 64,
    "Xception": 96,
}
FAST = ("MobileNetV2",)


def with_statistics(model: keras.Model) -> keras.Model:
    """The model with other BatchNormalization weights than ones and zeros."""
    rng = np.random.default_rng(0)
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            for variable in layer.weights:
                positive = "variance" in variable.path or "gamma" in variable.path
                low, high = (0.5, 1.5) if positive else (-0.3, 0.3)
                variable.assign(rng.uniform(low, high, variable.shape))
    return model


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in SIZES]
)
def test_application(tmp_path: Path, name: str) -> None:
    size = SIZES[name]
    model = with_statistics(
        getattr(keras.applications, name)(
            weights=None, input_shape=(size, size + 32, 3), classes=7, classifier_activation=None
        )
    )
    proto = onnx.load(keras_to_onnx(model, tmp_path / "a.onnx", fallback=False))
    onnx.checker.check_model(proto, full_check=True)
    kept = sum(isinstance(layer, layers.BatchNormalization) for layer in model._flatten_layers())
    assert nodes_of(proto)["BatchNormalization"] == kept
    # ConvNeXt normalises channels-last: two for each of its blocks, as in PyTorch's own export.
    assert nodes_of(proto)["Transpose"] == (43 if name == "ConvNeXtTiny" else 1)
