"""The last bias of an int8 file: logits right on average, other networks left alone."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from converters.keras_to_litert import litert_bytes
from tests.export.conftest import SIZE_PX
from tlkeras.export.formats.bias import corrected, mean_shift
from tlkeras.export.formats.int8 import calibration
from tlkeras.export.formats.interpreter import answers_of
from tlkeras.export.formats.packed import closed, opened
from tlkeras.features.engines.trunk import trunk

pytest.importorskip("ai_edge_litert.interpreter")


def spoilt(content: bytes) -> bytes:
    """The file with a large number added to the first bias of its last dense layer."""
    model = opened(content)
    graph = model.subgraphs[0]
    tensor = graph.tensors[graph.operators[-2].inputs[2]]
    bias = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.int32).copy()
    bias[0] += int(1.0 / tensor.quantization.scale[0])
    model.buffers[tensor.buffer].data = np.frombuffer(bias.tobytes(), np.uint8)
    return closed(model)


def test_a_shifted_bias_is_found_and_taken_back(
    bundle: SimpleNamespace, pixels: np.ndarray, expected_of: np.ndarray
) -> None:
    network = trunk(bundle.model, SIZE_PX)
    shown = calibration(pixels, SIZE_PX)
    wrong = spoilt(litert_bytes(network, "int8", shown))
    before = np.abs(answers_of(wrong)(pixels) - expected_of).mean()
    after = np.abs(answers_of(corrected(wrong, network, shown))(pixels) - expected_of).mean()
    assert after < before / 2


def test_a_network_without_a_last_dense_layer_is_left_alone(pixels: np.ndarray) -> None:
    image = keras.Input((SIZE_PX, SIZE_PX, 3))
    maps = keras.layers.Conv2D(3, 5, strides=4)(image)
    network = keras.Model(image, keras.layers.GlobalMaxPooling2D()(maps))
    shown = calibration(pixels, SIZE_PX)
    content = litert_bytes(network, "int8", shown)
    assert corrected(content, network, shown) == content


def test_shift_ignores_what_all_classes_have_in_common() -> None:
    rng = np.random.default_rng(0)
    logits, noise = rng.normal(size=(50, 4)), rng.normal(size=(50, 1))
    wanted = np.array([0.5, -0.25, 0.0, -0.25])
    np.testing.assert_allclose(mean_shift(logits + wanted, logits + noise), wanted, atol=1e-9)
