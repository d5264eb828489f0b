"""An ONNX file holds all that it needs: names, labels, preprocessing; and it is proven alone."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.export.conftest import NAMES, SIZE_PX
from tests.export.formats.conftest import keras_embedding
from tlkeras.errors import ExportError, ParityError
from tlkeras.export.formats.onnx_file import to_onnx
from tlkeras.export.verify import verify_pixels


@pytest.fixture(scope="module")
def file(scored: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return to_onnx(scored, tmp_path_factory.mktemp("onnx") / "tiny.onnx")


def test_inputs_and_outputs_have_names_and_an_open_batch(file: Path) -> None:
    session = onnxruntime.InferenceSession(file)
    (taken,), given = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.type, taken.shape[1:]) == ("images", "tensor(float)", [48, 48, 3])
    assert isinstance(taken.shape[0], str)
    assert [output.name for output in given] == ["probabilities", "unknown_score", "embedding"]
    assert [len(output.shape) for output in given] == [2, 1, 2]
    for count in (1, 5):
        shown = np.zeros((count, 48, 48, 3), np.float32)
        assert [len(value) for value in session.run(None, {"images": shown})] == [count] * 3


def test_labels_and_preprocessing_lie_in_the_metadata(file: Path) -> None:
    told = onnxruntime.InferenceSession(file).get_modelmeta().custom_metadata_map
    assert tuple(told["labels"].split("\n")) == NAMES
    preprocessing = json.loads(told["preprocessing"])
    assert preprocessing["size_px"] == SIZE_PX
    assert preprocessing["before_the_file"] == ["decoding", "orientation", "resize"]


def test_onnx_itself_takes_the_file_with_what_was_put_behind_it(file: Path) -> None:
    proto = onnx.load(file)
    onnx.checker.check_model(proto, full_check=True)
    assert {entry.key for entry in proto.metadata_props} >= {"labels", "preprocessing", "licence"}


def test_file_alone_in_a_fresh_process_answers_like_keras(
    file: Path, pixels: np.ndarray, scored_table: np.ndarray
) -> None:
    parity = verify_pixels(file, "onnx", pixels.astype(np.float32), scored_table, NAMES)
    assert parity.pictures == len(pixels)
    assert parity.largest_difference <= 1e-4
    assert parity.unknown_difference is not None


def test_embedding_is_the_named_layers(
    file: Path, scored: SimpleNamespace, pixels: np.ndarray
) -> None:
    shown = pixels[:5].astype(np.float32)
    (found,) = onnxruntime.InferenceSession(file).run(["embedding"], {"images": shown})
    expected = keras_embedding(scored, shown)
    assert np.ptp(expected, axis=0).min() > 0
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_another_networks_answers_are_refused(
    file: Path, pixels: np.ndarray, scored_table: np.ndarray
) -> None:
    shown = pixels.astype(np.float32)
    with pytest.raises(ParityError, match="Worst is picture"):
        verify_pixels(file, "onnx", shown, scored_table[:, [1, 0, 2, 3, 4]], NAMES)
    with pytest.raises(ParityError, match="unknown scores"):
        verify_pixels(file, "onnx", shown, scored_table + np.eye(5)[4] / 10, NAMES)


@pytest.mark.parametrize("opset", [13, 21])
def test_opset_is_the_one_asked_for(bundle: SimpleNamespace, tmp_path: Path, opset: int) -> None:
    path = to_onnx(bundle, tmp_path / "tiny.onnx", opset=opset)
    found = {entry.domain: entry.version for entry in onnx.load(path).opset_import}
    assert found[""] == opset
    onnxruntime.InferenceSession(path)


def test_opset_that_can_not_be_written_is_named_and_nothing_is_left(
    bundle: SimpleNamespace, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=r"opset from 13 to 21, came 9"):
        to_onnx(bundle, tmp_path / "tiny.onnx", opset=9)
    assert list(tmp_path.iterdir()) == []


def test_folder_in_the_place_of_the_file_is_refused(
    bundle: SimpleNamespace, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match="name of a file"):
        to_onnx(bundle, tmp_path)


def test_model_of_the_user_keeps_its_own_names(tmp_path: Path) -> None:
    import keras

    image = keras.Input((48, 48, 3), name="photo")
    out = keras.layers.Flatten(name="embedding")(image)
    model = keras.Model(image, keras.layers.Dense(4, "softmax", name="answer")(out))
    backbone = {"name": "own", "size_px": 48, "embedding_layer": "embedding"}
    bundle = SimpleNamespace(
        model=model,
        class_names=NAMES,
        backbone=backbone,
        network=SimpleNamespace(unknown=None),
    )
    path = to_onnx(bundle, tmp_path / "own.onnx")
    session = onnxruntime.InferenceSession(path)
    shown = np.random.default_rng(0).uniform(0, 255, (3, 48, 48, 3)).astype("float32")
    found = session.run(["probabilities"], {"images": shown})[0]
    np.testing.assert_allclose(found, np.asarray(model(shown)), atol=1e-4)
    assert model.inputs[0].name == "photo"
