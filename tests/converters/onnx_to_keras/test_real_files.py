"""Published ONNX files keep their answers as Keras models, and can be trained."""

from pathlib import Path

import numpy as np
import pytest

import converters
from tests.conftest import imagenet_sample, right_of_100

onnxruntime = pytest.importorskip("onnxruntime")

FACES = ["RFB-320", "RFB-320_simplified", "slim-320"]


@pytest.mark.slow
def test_mobilenet_keeps_its_accuracy(shared_data: Path) -> None:
    path = shared_data / "weights" / "onnx" / "mobilenet_v1_0.25_224_top.onnx"
    model = converters.onnx_to_keras(path)
    pixels, classes = imagenet_sample(shared_data, 224)
    scores = np.concatenate([np.asarray(model(p, training=False)) for p in np.split(pixels, 4)])
    assert right_of_100(scores, classes) == (59, 83)


@pytest.mark.parametrize("name", FACES)
def test_face_detector_of_a_fixed_batch_takes_any(shared_data: Path, name: str) -> None:
    path = shared_data / "weights" / "onnx" / f"ultraface_version-{name}.onnx"
    model = converters.onnx_to_keras(path)
    report = converters.import_report(model)
    assert model.input_shape == (None, 240, 320, 3)
    assert report.parity.max_rel < 1e-5
    assert report.counts.trainable == report.counts.weights > 50
    assert report.without_gradient == ()
    assert report.counts.transposes == 0
    assert report.counts.batch_norms == {"RFB-320": 35, "slim-320": 25}.get(name, 0)
