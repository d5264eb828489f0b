"""A head written onto a backbone's file answers as Keras would have written it."""

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from tlkeras.bundle.portable import check_portable
from tlkeras.bundle.splice import splice
from tlkeras.errors import BundleError
from tlkeras.heads.affine import Affine

WIDTH, HIDDEN, CLASSES = 5, 7, 3


def affine(inputs: int, units: int, activation: str, seed: int, dropout: float = 0.0) -> Affine:
    rng = np.random.default_rng(seed)
    kernel = rng.normal(size=(inputs, units)).astype("float32")
    return Affine(kernel, rng.normal(size=units).astype("float32"), activation, dropout)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with Dense, Dropout and Softmax layers of its own, so that names collide."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    image = keras.Input((None, None, 3), name="image")
    x = layers.Conv2D(6, 3, strides=2, activation="relu")(image)
    x = layers.Dense(6)(layers.Dropout(0.1)(x))
    x = layers.GlobalAveragePooling2D()(layers.Softmax()(x))
    out = layers.Activation("linear", name="embedding")(layers.Dense(WIDTH)(x))
    path = tmp_path_factory.mktemp("backbone") / "backbone.keras"
    keras.Model(image, out).save(path)
    return path


HEADS = {
    "linear": (affine(WIDTH, CLASSES, "softmax", 1),),
    "mlp": (affine(WIDTH, HIDDEN, "relu", 2), affine(HIDDEN, CLASSES, "softmax", 3, dropout=0.3)),
}


@pytest.mark.parametrize("kind", HEADS)
def test_keras_opens_it_and_answers_as_the_parts_do(
    backbone: Path, tmp_path: Path, kind: str
) -> None:
    import keras

    head, path = HEADS[kind], tmp_path / "model.keras"
    splice(backbone, head, path)
    check_portable(path)
    model = keras.models.load_model(path)
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 17, 23, 3)).astype("float32")
    vectors = np.asarray(keras.models.load_model(backbone)(pixels, training=False))
    if kind == "mlp":
        vectors = np.maximum(vectors @ head[0].kernel + head[0].bias, 0)
    logits = vectors @ head[-1].kernel + head[-1].bias
    exact = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.abs(np.asarray(model(pixels, training=False)) - exact).max() < 1e-6
    assert np.ptp(exact, axis=0).max() > 1e-3  # the pictures are told apart
    assert model.name == "classifier"
    # It trains, saves and opens as any model of Keras.
    assert len(model.trainable_weights) == len(model.weights)
    model.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras")
    assert np.array_equal(again(pixels), model(pixels))


def test_layout_is_the_one_that_keras_writes(backbone: Path, tmp_path: Path) -> None:
    import keras

    ours, theirs = tmp_path / "ours.keras", tmp_path / "theirs.keras"
    splice(backbone, HEADS["mlp"], ours)
    keras.models.load_model(ours).save(theirs)

    def datasets(path: Path) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        with zipfile.ZipFile(path) as archive:
            content = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(content) as store:
            store.visititems(
                lambda name, node: found.update({name: getattr(node, "shape", ())}) or None
            )
        return found

    assert datasets(ours) == datasets(theirs)


def test_same_head_gives_the_same_bytes(backbone: Path, tmp_path: Path) -> None:
    paths = [tmp_path / "a.keras", tmp_path / "b.keras"]
    for path in paths:
        splice(backbone, HEADS["linear"], path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_head_that_does_not_fit_is_told(backbone: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="fit one another"):
        splice(backbone, [affine(WIDTH + 1, CLASSES, "softmax", 1)], tmp_path / "model.keras")


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_file_that_is_no_backbone_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "backbone.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError, match="Save the backbone again"):
        splice(path, HEADS["linear"], tmp_path / "model.keras")
    assert not (tmp_path / "model.keras").exists()
