"""Real networks as every file of pixels: asked by their runtimes alone, on pictures never seen.

One network of the catalogue, with its real weights, and one imported from an ONNX file.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image, ImageOps

import tlkeras as tl
from benchmarks.probe import BACKBONE, WEIGHTS, cats_dogs

interpreters = pytest.importorskip("ai_edge_litert.interpreter")

pytestmark = pytest.mark.slow
IMPORTED = "weights/onnx/mobilenet_v1_0.25_224_top.onnx"
FLAGS = 0.9  # share of the marks for unlike pictures that int8 keeps


@dataclass(frozen=True)
class Real:
    """A trained classifier, the pictures of its test part and what its Keras model says of them."""

    classifier: tl.ImageClassifier
    pixels: np.ndarray
    truth: np.ndarray
    table: np.ndarray  # probabilities, then the unknown score

    @property
    def accuracy(self) -> float:
        return self.right(self.table[:, :2])

    def right(self, probabilities: np.ndarray) -> float:
        return float((probabilities.argmax(axis=1) == self.truth).mean())

    def agreement(self, found: dict[str, np.ndarray]) -> tuple[float, float]:
        """Share of labels, and of marks for unlike pictures, that are the Keras model's."""
        labels = found["probabilities"].argmax(axis=1) == self.table[:, :2].argmax(axis=1)
        marks = (found["unknown_score"] > 1) == (self.table[:, 2] > 1)
        return float(labels.mean()), float(marks.mean())


@pytest.fixture(scope="module", params=["catalogue", "imported"])
def real(request: pytest.FixtureRequest, shared_data: Path) -> Real:
    data = cats_dogs(shared_data, 0)
    if request.param == "catalogue":
        clf = tl.ImageClassifier(BACKBONE, weights=shared_data / WEIGHTS)
    else:
        clf = tl.ImageClassifier(shared_data / IMPORTED, preprocessing="tf")
    clf.fit(data)
    pixels = np.stack([decoded(path) for path in data.test.paths])
    predictions = clf.predict(list(pixels))
    scores = predictions.unknown_scores
    assert scores is not None
    table = np.column_stack([predictions.probabilities, scores])
    assert (table[:, :2].argmax(axis=1) == data.test.labels).mean() > 0.85
    return Real(clf, pixels.astype(np.float32), data.test.labels, table)


def decoded(path: Path) -> np.ndarray:
    """Pixels (224, 224, 3) uint8, as docs/formats.md tells a client to make them."""
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    return np.asarray(picture.resize((224, 224), Image.Resampling.BILINEAR))


def by_litert(content: bytes, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Every output by its name; int8 is scaled there and back."""
    interpreter = interpreters.Interpreter(model_content=content)
    run = interpreter.get_signature_runner()
    taken, given = run.get_input_details()["images"], run.get_output_details()
    whole = taken["dtype"] == np.int8
    shown = (pixels.astype(np.int16) - 128).astype(np.int8) if whole else pixels
    found = [run(images=row[np.newaxis]) for row in shown]
    answers = {}
    for name, told in given.items():
        values = np.concatenate([each[name] for each in found]).astype(np.float32)
        scale, zero_point = told["quantization"]
        answers[name] = (values - zero_point) * scale if whole else values
    return answers


def test_onnx_gives_the_same_answers(real: Real, tmp_path: Path) -> None:
    path = real.classifier.export(tmp_path / "pets.onnx", format="onnx")
    session = onnxruntime.InferenceSession(path)
    names = ["probabilities", "unknown_score", "embedding"]
    parts = [
        session.run(names, {"images": real.pixels[start : start + 40]})
        for start in range(0, len(real.pixels), 40)
    ]
    found = {
        name: np.concatenate(part)
        for name, part in zip(names, zip(*parts, strict=True), strict=True)
    }
    np.testing.assert_allclose(found["probabilities"], real.table[:, :2], atol=1e-4)
    np.testing.assert_allclose(found["unknown_score"], real.table[:, 2], atol=1e-2)
    assert real.right(found["probabilities"]) == real.accuracy
    assert found["embedding"].shape[1] == real.classifier._fitted.spec.width


def test_litert_gives_the_same_answers(real: Real, tmp_path: Path) -> None:
    path = real.classifier.export(tmp_path / "pets.tflite", format="litert")
    found = by_litert(path.read_bytes(), real.pixels)
    np.testing.assert_allclose(found["probabilities"], real.table[:, :2], atol=1e-4)
    np.testing.assert_allclose(found["unknown_score"], real.table[:, 2], atol=1e-2)
    assert real.right(found["probabilities"]) == real.accuracy


def test_int8_as_a_file_and_in_c_is_within_two_points(real: Real, tmp_path: Path) -> None:
    path = real.classifier.export(tmp_path / "pets_int8.tflite", format="litert-int8")
    found = by_litert(path.read_bytes(), real.pixels)
    labels, marks = real.agreement(found)
    assert real.right(found["probabilities"]) >= real.accuracy - 0.02
    assert labels >= 0.95
    assert marks >= FLAGS
    folder = real.classifier.export(tmp_path / "c", format="c")
    source = (folder / "classifier.cc").read_text()
    array = re.search(r"kModel\[\] = \{(.*?)\};", source, re.DOTALL)
    assert array is not None
    content = bytes(int(number, 16) for number in re.findall(r"0x(\w\w)", array[1]))
    again = by_litert(content, real.pixels[:20])
    np.testing.assert_array_equal(again["probabilities"], found["probabilities"][:20])
    compiler = shutil.which("g++")
    if compiler is not None:
        command = [compiler, "-std=c++11", "-Wall", "-Werror", "-c", "classifier.cc"]
        subprocess.run(command, check=True, cwd=folder)
