"""save → load gives the same thing; damage, strangers and newer formats are told apart."""

import dataclasses
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.bundle.conftest import SCORE
from tlkeras.bundle.bundle import FILES, OPTIONAL, Bundle
from tlkeras.bundle.read import load
from tlkeras.bundle.write import save
from tlkeras.errors import BundleError
from tlkeras.tasks.network.forms import Tuned

if TYPE_CHECKING:
    import keras

PIXELS = np.random.default_rng(0).uniform(0, 255, (2, 9, 14, 3)).astype(np.float32)


@pytest.fixture
def run(bundle: Bundle, tmp_path: Path) -> Path:
    return save(bundle, tmp_path / "runs" / "flowers")


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_loaded_model_gives_the_same_probabilities(bundle: Bundle, run: Path) -> None:
    found, expected = load(run).model(PIXELS).numpy(), bundle.model(PIXELS).numpy()
    assert found.shape == (2, 4)
    np.testing.assert_array_equal(found, expected)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3


@pytest.mark.parametrize(
    "field",
    ["class_names", "backbone", "head", "validation", "recipe", "metrics", "history", "manifest"],
)
def test_everything_else_comes_back_equal(bundle: Bundle, run: Path, field: str) -> None:
    """E1: among it the class names."""
    assert getattr(load(run), field) == getattr(bundle, field)


def test_labels_file_has_one_class_a_line(bundle: Bundle, run: Path) -> None:
    text = (run / "labels.txt").read_text(encoding="utf-8")
    assert text.split("\n") == [*bundle.class_names, ""]


def test_index_has_the_hash_of_every_other_file(run: Path) -> None:
    index = json.loads((run / "bundle.json").read_text())
    found = contents(run)
    del found["bundle.json"]
    assert index["sha256"] == found
    assert set(found) == {*FILES, *OPTIONAL}
    assert (index["format"], index["format_version"]) == ("tlkeras-run", 1)
    assert index["created"].endswith("+00:00")


def test_numpy_values_are_saved_as_numbers(bundle: Bundle, tmp_path: Path) -> None:
    metrics = {"test": {"accuracy": np.float32(0.5), "interval": np.array([0.25, 1]), "n": 3}}
    folder = save(dataclasses.replace(bundle, metrics=metrics), tmp_path / "run")
    found = load(folder).metrics["test"]
    assert found == {"accuracy": 0.5, "interval": [0.25, 1.0], "n": 3}


def test_what_is_no_json_is_refused_before_anything_is_left(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="numbers, texts"):
        save(dataclasses.replace(bundle, recipe={"knob": object()}), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.keras", "labels.txt", "data.csv", "recipe.json"])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_file_is_named(run: Path, name: str, damage: str) -> None:
    path = run / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-7] if damage == "cut" else b"x" + content[1:])
    with pytest.raises(BundleError, match=name.replace(".", r"\.")):
        load(run)


def test_an_edited_card_does_not_matter(run: Path) -> None:
    (run / "README.md").write_text("mine")
    load(run)


def test_a_newer_format_says_upgrade(run: Path) -> None:
    index = json.loads((run / "bundle.json").read_text())
    (run / "bundle.json").write_text(json.dumps({**index, "format_version": 2}))
    with pytest.raises(BundleError, match=r"up to version 1.*version 2.*pip install --upgrade"):
        load(run)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "other", "format_version": 1}', "\x00"]
)
def test_another_bundle_json_is_no_run(tmp_path: Path, text: str) -> None:
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match="A run folder"):
        load(tmp_path)


@pytest.mark.parametrize("entry", ["class_names", "head", "sha256"])
def test_an_index_without_an_entry_says_which(run: Path, entry: str) -> None:
    index = json.loads((run / "bundle.json").read_text())
    del index[entry]
    (run / "bundle.json").write_text(json.dumps(index))
    with pytest.raises(BundleError, match=rf"without {entry}"):
        load(run)


def test_a_folder_that_is_not_there_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="Name the folder"):
        load(tmp_path / "nothing")


def test_class_names_of_another_number_than_outputs_are_refused(run: Path, bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="4 outputs and 3 class names"):
        dataclasses.replace(bundle, class_names=("a", "b", "c"))
    index = json.loads((run / "bundle.json").read_text())
    (run / "bundle.json").write_text(json.dumps({**index, "class_names": ["a", "b", "c"]}))
    with pytest.raises(BundleError, match="3 and 4 names that differ"):
        load(run)


@pytest.mark.parametrize("name", ["two\nlines", "", "old\rmac", "line\u2028sep", "raw \udce4"])
def test_a_class_name_that_is_no_line_of_text_is_refused(bundle: Bundle, name: str) -> None:
    with pytest.raises(BundleError, match="one line of UTF-8"):
        dataclasses.replace(bundle, class_names=("a", "b", "c", name))


def test_a_class_name_twice_is_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="'b' 2 times"):
        dataclasses.replace(bundle, class_names=("a", "b", "c", "b"))


def test_compiled_model_is_saved_without_optimizer_and_loss(
    bundle_of: Callable[["keras.Model"], Bundle], tiny_model: "keras.Model", tmp_path: Path
) -> None:
    """E8: a loss of one's own is no reason that a model cannot be opened."""
    import keras

    model = keras.models.clone_model(tiny_model)

    def own_loss(truth: object, answer: object) -> object:
        return keras.ops.mean(keras.ops.square(truth - answer))  # type: ignore[operator]

    model.compile("adam", own_loss)
    model.train_on_batch(PIXELS, np.eye(4)[[0, 1]])
    folder = save(bundle_of(model), tmp_path / "run")
    opened = keras.models.load_model(folder / "model.keras")
    np.testing.assert_array_equal(opened(PIXELS), model(PIXELS))
    assert not opened.compiled
    assert model.compiled


def test_weights_that_are_no_numbers_are_refused(
    bundle_of: Callable[["keras.Model"], Bundle], tiny_model: "keras.Model", tmp_path: Path
) -> None:
    """F6, F7: a run that diverged does not replace a good one."""
    import keras

    model = keras.models.clone_model(tiny_model)
    model.layers[-1].bias.assign([0, np.nan, 0, 0])
    with pytest.raises(BundleError, match=r"NaN or infinity in .*bias.*learning rate"):
        save(bundle_of(model), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_model_opens_in_a_process_that_has_only_keras(run: Path, bundle: Bundle) -> None:
    """E8."""
    code = (
        "import sys, keras, numpy as np;"
        "model = keras.models.load_model('model.keras');"
        "x = np.random.default_rng(0).uniform(0, 255, (2, 9, 14, 3)).astype('float32');"
        "assert 'tlkeras' not in sys.modules;"
        "np.save('out.npy', model(x))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=run, check=True, capture_output=True)
    np.testing.assert_allclose(np.load(run / "out.npy"), bundle.model(PIXELS), atol=1e-6)


def test_a_model_with_two_outputs_is_refused(
    bundle_of: Callable[["keras.Model"], Bundle], tiny_model: "keras.Model"
) -> None:
    import keras

    embedding = tiny_model.get_layer("embedding").output
    with pytest.raises(BundleError, match="1 inputs, 2 outputs"):
        bundle_of(keras.Model(tiny_model.inputs, [embedding, tiny_model.outputs[0]]))


def test_unknown_score_comes_back(bundle: Bundle, run: Path) -> None:
    found, expected = load(run).network.unknown, bundle.network.unknown
    assert found is not None
    assert expected is not None
    np.testing.assert_array_equal(found.kernel, expected.kernel)
    assert (found.offset, found.false_alarms, found.rows) == (1.5, 0.05, 40)


def test_run_of_a_release_without_unknown_score_opens(bundle: Bundle, tmp_path: Path) -> None:
    without = dataclasses.replace(bundle, network=Tuned(bundle.model, size_px=32))
    run = save(without, tmp_path / "run")
    assert not (run / "unknown.npy").exists()
    assert load(run).network.unknown is None


def test_unknown_score_that_is_no_table_of_numbers_is_refused(run: Path) -> None:
    for content in (b"no array", _npy(np.full((6, 4), np.nan)), _npy(np.zeros(6))):
        (run / "unknown.npy").write_bytes(content)
        index = json.loads((run / "bundle.json").read_text())
        index["sha256"]["unknown.npy"] = hashlib.sha256(content).hexdigest()
        (run / "bundle.json").write_text(json.dumps(index))
        with pytest.raises(BundleError, match=r"unknown\.npy is a table"):
            load(run)


def test_onnx_file_has_the_unknown_score_beside_the_probabilities(
    bundle: Bundle, run: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(run / "model.onnx"))
    names = [output.name for output in session.get_outputs()]
    assert names[1:] == ["unknown_score", "embedding"]
    pixels = np.random.default_rng(1).uniform(0, 255, (3, 32, 32, 3)).astype("float32")
    probabilities, scores, found = session.run(names, {session.get_inputs()[0].name: pixels})
    np.testing.assert_allclose(probabilities, bundle.model(pixels), atol=1e-5)
    vectors = bundle.model.get_layer("embedding").output
    embedding = keras_model(bundle.model.inputs[0], vectors)(pixels).numpy()
    np.testing.assert_allclose(found, embedding, atol=1e-4)
    far = 1.5 - (embedding / np.linalg.norm(embedding, axis=1)[:, None]) @ SCORE.kernel
    np.testing.assert_allclose(scores, far.min(axis=1), atol=1e-4)
    assert np.ptp(scores) > 1e-3


def keras_model(image: object, out: object) -> "keras.Model":
    import keras

    return keras.Model(image, out)


def _npy(table: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, table)
    return file.getvalue()
