"""With a backbone that was used before, everything from pictures to answers leaves Keras alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tlkeras as tl
from tests.conftest import write_flowers
from tlkeras.errors import BundleError

SCRIPT = """
import json, sys
for name in ("tensorflow", "keras", "torch"):
    sys.modules[name] = None      # an import of it fails
import tlkeras as tl
folder, run, picture = sys.argv[1:]
data = tl.ImageFolder(folder, seed=3)
recipe = tl.Recipe(seed=3, engine="onnxruntime")
clf = tl.ImageClassifier("TinyResNet", head=HEAD, recipe=recipe).fit(data)
report = clf.evaluate(data.test)
clf.save(run)
again = tl.ImageClassifier.load(run)
print(json.dumps({
    "accuracy": report.accuracy,
    "here": clf.predict(picture).probabilities.tolist(),
    "loaded": again.predict(picture).probabilities.tolist(),
    "scores": again.evaluate(data.test).accuracy,
    "decisions": clf.decisions,
    "passes": clf._fitted.network.embedding.passes,
}))
"""


def in_fresh_process(head: str, cache: Path, *words: Path) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("HEAD", repr(head)), *map(str, words)],
        env={**os.environ, "TLKERAS_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flowers(tmp_path_factory.mktemp("many") / "flowers", per_class=30, seed=7)


@pytest.fixture(scope="module")
def used_before(tmp_path_factory: pytest.TempPathFactory, flowers: Path) -> Path:
    """A cache in which the backbone's files and the choice of an engine lie, no embeddings."""
    import shutil

    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLKERAS_CACHE", str(cache))
        recipe = tl.Recipe(engine="onnxruntime")  # auto might find TensorFlow fastest
        tl.ImageClassifier("TinyResNet", recipe=recipe).fit(flowers)
    shutil.rmtree(cache / "features")
    return cache


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_trains_saves_and_predicts_without_tensorflow(
    flowers: Path, used_before: Path, tmp_path: Path, head: str
) -> None:
    import keras

    picture = flowers / "rose" / "rose_02.jpg"
    told = in_fresh_process(head, used_before, flowers, tmp_path / "run", picture)
    assert told["passes"] == (90 if head == "linear" else 0)  # the mlp finds them in the cache
    assert told["accuracy"] > 0.8
    assert told["scores"] == told["accuracy"]
    assert np.abs(np.subtract(told["here"], told["loaded"])).max() < 1e-4
    assert any("pictures/s" in line for line in told["decisions"]) == (head == "linear")
    # What was written without Keras is what Keras computes.
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    clf = tl.ImageClassifier.load(tmp_path / "run")
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 90, 70, 3)).astype("float32")
    assert np.array_equal(clf.model(pixels), model(pixels))
    from tlkeras.data.decode import decode

    shown = decode(picture)[None].astype("float32")
    assert np.abs(np.asarray(model(shown)) - told["loaded"]).max() < 1e-3


def test_run_folder_answers_in_all_its_forms_alike(flowers: Path, tmp_path: Path) -> None:
    clf = tl.ImageClassifier("TinyResNet").fit(flowers)
    run = clf.save(tmp_path / "run")
    pictures = sorted(flowers.glob("*/*"))[::7]
    first = clf.predict(pictures).probabilities
    by_onnx = tl.ImageClassifier.load(run).predict(pictures).probabilities
    index = json.loads((run / "bundle.json").read_text())
    del index["sha256"]["model.onnx"]
    (run / "model.onnx").unlink()
    (run / "bundle.json").write_text(json.dumps(index))
    by_keras = tl.ImageClassifier.load(run).predict(pictures).probabilities
    assert np.ptp(first, axis=0).max() > 0.5
    assert np.abs(first - by_onnx).max() < 1e-4
    assert np.abs(first - by_keras).max() < 1e-4


def test_damaged_onnx_file_is_told(flowers: Path, tmp_path: Path) -> None:
    run = tl.ImageClassifier("TinyResNet").fit(flowers).save(tmp_path / "run")
    (run / "model.onnx").write_bytes(b"cut short")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        tl.ImageClassifier.load(run)


def test_fine_tuned_run_has_an_onnx_file_of_its_own_weights(flowers: Path, tmp_path: Path) -> None:
    recipe = tl.Recipe(epochs=2, unfreeze=2, refit=False, learning_rate=3e-3)
    clf = tl.ImageClassifier("TinyResNet", recipe=recipe)
    clf.fine_tune(flowers)
    clf._fitted.network.model  # noqa: B018
    run = clf.save(tmp_path / "run")
    pictures = sorted(flowers.glob("*/*"))[::7]
    loaded = tl.ImageClassifier.load(run)
    assert (run / "model.onnx").exists()
    apart = loaded.predict(pictures).probabilities - clf.predict(pictures).probabilities
    assert np.abs(apart).max() < 1e-4
