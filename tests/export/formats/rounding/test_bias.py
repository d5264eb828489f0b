"""The last biases of an int8 file: answers right on average, other networks left alone."""

from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from converters.keras_to_litert import litert_bytes
from tests.export.conftest import SIZE_PX
from tlkeras.export.formats.interpreter import answers_of, interpreter_of, outputs_of
from tlkeras.export.formats.litert_file import to_litert
from tlkeras.export.formats.packed import closed, opened, operator_name
from tlkeras.export.formats.rounding.bias import corrected, mean_shift
from tlkeras.export.formats.rounding.int8 import calibration
from tlkeras.export.named import named_network
from tlkeras.features.engines.trunk import trunk
from tlkeras.heads.unknown import UnknownScore

pytest.importorskip("ai_edge_litert.interpreter")


def spoilt(content: bytes, ending: str = "SOFTMAX") -> bytes:
    """The file with a large number added to biases of the dense layer before an operator."""
    model = opened(content)
    graph = model.subgraphs[0]
    (last,) = (each for each in graph.operators if operator_name(model, each) == ending)
    (dense,) = (each for each in graph.operators if each.outputs[0] == last.inputs[0])
    tensor = graph.tensors[dense.inputs[2]]
    bias = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.int32).copy()
    spoilt = slice(1) if ending == "SOFTMAX" else slice(None)
    bias[spoilt] += (1.0 / np.asarray(tensor.quantization.scale)[spoilt]).astype(np.int32)
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


def test_shifted_scores_are_found_and_taken_back(
    scored: SimpleNamespace, pixels: np.ndarray, scored_table: np.ndarray
) -> None:
    network = named_network(scored.model, SIZE_PX, scored.network.unknown)
    shown = calibration(pixels, SIZE_PX)
    wrong = spoilt(litert_bytes(network, "int8", shown), "REDUCE_MIN")
    after = answers_of(corrected(wrong, network, shown))(pixels)
    before = np.abs(answers_of(wrong)(pixels) - scored_table)[:, -1].mean()
    assert np.abs(after - scored_table)[:, -1].mean() < before / 2


def test_a_score_can_be_above_its_limit_whatever_it_was_calibrated_on(
    scored: SimpleNamespace, pixels: np.ndarray, tmp_path: Path
) -> None:
    calm = UnknownScore(0.01 * scored.network.unknown.kernel, 0.5, 0.05, 10)
    bundle = SimpleNamespace(**{**vars(scored), "network": SimpleNamespace(unknown=calm)})
    path = to_litert(bundle, tmp_path / "a.tflite", kind="int8", pictures=pixels, max_drop=1)
    content = path.read_bytes()
    scale, zero_point = outputs_of(interpreter_of(content))["unknown_score"]["quantization"]
    assert (127 - zero_point) * scale == pytest.approx(2.0, abs=0.02)
    scores = answers_of(content)(pixels)[:, -1]
    assert np.abs(scores - 0.5).max() < 0.1
