"""Published TensorFlow Lite files keep their accuracy as Keras models."""

import json
import wave
from pathlib import Path

import keras
import numpy as np
import pytest

from converters.tf_to_keras.graphs import graph_to_keras, graph_to_onnx
from tests.conftest import imagenet_sample, right_of_100

pytest.importorskip("onnxruntime")
litert = pytest.importorskip("ai_edge_litert.interpreter")

MOBILENETS = [  # file, size, right among the first and the first five of 100
    ("mobilenet_v1_0.25_224_1_default_1", 224, 59, 83),
    ("mobilenet_v1_0.25_224_quant", 224, 59, 81),
    ("mobilenet_v1_0.5_160_quant", 160, 68, 88),
    ("mobilenet_v1_0.75_192_quant", 192, 81, 92),
    ("mobilenet_v2_1.0_224_quant", 224, 89, 97),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size", "first", "five"), MOBILENETS)
def test_accuracy_is_the_file_s(
    shared_data: Path, name: str, size: int, first: int, five: int
) -> None:
    model = graph_to_keras(shared_data / "weights" / "tflite" / f"{name}.tflite")
    x, classes = imagenet_sample(shared_data, size)
    scores = np.concatenate([np.asarray(model(part, training=False)) for part in np.split(x, 5)])
    found = right_of_100(scores, classes + 1)  # 0 is background
    assert np.abs(np.subtract(found, (first, five))).max() <= 1
    assert not [layer for layer in model.layers if isinstance(layer, keras.layers.Permute)]


def recordings(folder: Path, count: int) -> np.ndarray:
    """(count, 15600) in [-1, 1]: 8 kHz speech at 16 kHz, filled with silence."""
    found = []
    for path in sorted(folder.rglob("*.wav"))[:: 480 // count][:count]:
        with wave.open(str(path)) as file:
            sound = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        places = np.arange(0, len(sound) - 1, 0.5)
        doubled = np.interp(places, np.arange(len(sound)), sound)[:15600]
        found.append(np.pad(doubled, (0, 15600 - len(doubled))))
    return np.array(found, np.float32)


@pytest.mark.slow
def test_yamnet_hears_speech_as_its_own_runtime_does(shared_data: Path) -> None:
    path = shared_data / "weights" / "tflite" / "yamnet_audio_classifier_with_metadata.tflite"
    model = graph_to_keras(path)
    assert model.input_shape == (None, 15600)
    sounds = recordings(shared_data / "datasets" / "spoken_digits", 40)
    found = np.asarray(model(sounds, training=False))
    interpreter = litert.Interpreter(str(path))
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    expected = []
    for sound in sounds:
        interpreter.set_tensor(given["index"], sound)
        interpreter.invoke()
        expected.append(interpreter.get_tensor(answer["index"])[0])
    assert np.abs(found - np.array(expected)).max() < 0.06  # its activations have 8 bits
    assert (found.argmax(1) == 0).sum() == 40


def test_labels_and_scaling_come_with_the_file(shared_data: Path) -> None:
    folder = shared_data / "weights" / "tflite"
    kept = {
        entry.key: json.loads(entry.value)
        for entry in graph_to_onnx(folder / "mobilenet_v1_0.25_224_quant.tflite").metadata_props
    }
    assert len(kept["converters.labels"]) == 1001
    assert kept["converters.labels"][:3] == ["background", "tench", "goldfish"]
    assert kept["converters.preprocessing"] == {"mean": [128.0] * 3, "std": [128.0] * 3}
    yamnet = graph_to_onnx(folder / "yamnet_audio_classifier_with_metadata.tflite")
    kept = {entry.key: json.loads(entry.value) for entry in yamnet.metadata_props}
    assert kept["converters.labels"][0] == "Speech"
