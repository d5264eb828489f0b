"""The four signatures, asked after saving and loading back."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tlkeras.errors import ExportError
from tlkeras.export.savedmodel import to_savedmodel
from tlkeras.heads.unknown import UnknownScore

NAMES = ("ant", "bee", "cicáda", "dragonfly")


@pytest.fixture(scope="module")
def served(exported: Path) -> dict:
    # The loaded object must outlive its signatures.
    return {"model": (model := tf.saved_model.load(str(exported))), **model.signatures}


def texts(labels: tf.Tensor) -> list[str]:
    return [label.decode("utf-8") for label in labels.numpy().tolist()]


def test_serving_default_answers_as_the_model(
    served: dict, pictures: list[bytes], expected: np.ndarray
) -> None:
    answer = served["serving_default"](image_bytes=tf.constant(pictures))
    assert set(answer) == {"label", "score", "probabilities", "ok"}
    assert answer["probabilities"].dtype == tf.float32
    np.testing.assert_allclose(answer["probabilities"].numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(answer["score"].numpy(), expected.max(axis=1), atol=1e-5)
    assert texts(answer["label"]) == [NAMES[row] for row in expected.argmax(axis=1)]
    assert answer["ok"].numpy().all()


def test_broken_row_is_marked_and_disturbs_no_other(served: dict, pictures: list[bytes]) -> None:
    serve = served["serving_default"]
    alone = serve(image_bytes=tf.constant(pictures[:2]))
    answer = serve(image_bytes=tf.constant([pictures[0], b"broken", pictures[1]]))
    assert answer["ok"].numpy().tolist() == [True, False, True]
    assert texts(answer["label"]) == [
        texts(alone["label"])[0],
        "",
        texts(alone["label"])[1],
    ]
    assert answer["score"].numpy()[1] == 0
    assert not answer["probabilities"].numpy()[1].any()
    np.testing.assert_allclose(
        answer["probabilities"].numpy()[[0, 2]], alone["probabilities"].numpy(), atol=1e-6
    )


@pytest.mark.parametrize("rows", [[], [b"x"], [b"", b"y"]])
def test_batch_without_a_picture_is_answered(served: dict, rows: list[bytes]) -> None:
    answer = served["serving_default"](image_bytes=tf.constant(rows, tf.string))
    assert answer["probabilities"].shape == (len(rows), 4)
    assert answer["label"].numpy().tolist() == [b""] * len(rows)
    assert not answer["ok"].numpy().any()


def test_pixel_signatures_answer_as_the_model(served: dict, bundle: SimpleNamespace) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 31, 77, 3), dtype=np.uint8)
    expected = bundle.model(images.astype(np.float32)).numpy()
    whole = served["predict_images"](images=tf.constant(images))
    floats = served["predict_tensor"](images=tf.constant(images, tf.float32))
    assert set(whole) == set(floats) == {"label", "score", "probabilities"}
    np.testing.assert_allclose(whole["probabilities"].numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(floats["probabilities"].numpy(), expected, atol=1e-5)
    empty = served["predict_images"](images=tf.zeros((0, 9, 8, 3), tf.uint8))
    assert empty["probabilities"].shape == (0, 4)


def test_embed_gives_the_embedding_layer(
    served: dict, bundle: SimpleNamespace, pictures: list[bytes]
) -> None:
    import keras

    from tlkeras.data.pipeline import pixel_batches

    layer = bundle.model.get_layer("embedding")
    (batch,) = pixel_batches(pictures[:3], (48, 48))
    expected = keras.Model(bundle.model.input, layer.output)(batch.pixels).numpy()
    answer = served["embed"](image_bytes=tf.constant([*pictures[:3], b"broken"]))
    assert set(answer) == {"embedding", "ok"}
    np.testing.assert_allclose(answer["embedding"].numpy()[:3], expected, atol=1e-5)
    assert not answer["embedding"].numpy()[3].any()
    assert answer["ok"].numpy().tolist() == [True, True, True, False]


def test_answers_are_float32_after_half_precision_training(
    make_bundle: Callable, pictures: list[bytes], tmp_path: Path
) -> None:
    half = make_bundle(dtype="mixed_float16")
    assert half.model.output.dtype == "float16"
    model = tf.saved_model.load(str(to_savedmodel(half, tmp_path / "1")))
    data = tf.constant(pictures[:2])
    assert model.signatures["serving_default"](image_bytes=data)["score"].dtype == tf.float32
    assert model.signatures["embed"](image_bytes=data)["embedding"].dtype == tf.float32


def test_wrong_embedding_layer_is_named(bundle: SimpleNamespace, tmp_path: Path) -> None:
    backbone = {**bundle.backbone, "embedding_layer": "embeding"}
    wrong = SimpleNamespace(model=bundle.model, class_names=NAMES, backbone=backbone)
    with pytest.raises(ExportError, match=r"'embeding'.* it has embedding"):
        to_savedmodel(wrong, tmp_path / "1")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def scored(
    make_bundle: Callable, pictures: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> dict:
    """A served model with an unknown score whose limit lies amid the pictures' scores."""
    bundle = make_bundle()
    embedding = bundle.model.get_layer("embedding")
    width = int(embedding.output.shape[-1])
    kernel = np.random.default_rng(5).normal(0, 4, (width, 3)).astype("float32")
    bundle.network.unknown = UnknownScore(kernel, 3.0, false_alarms=0.05, rows=40)
    path = to_savedmodel(bundle, tmp_path_factory.mktemp("scored") / "1")
    return {"bundle": bundle, "model": (m := tf.saved_model.load(str(path))), **m.signatures}


def test_unknown_score_is_that_of_the_embedding(scored: dict, pictures: list[bytes]) -> None:
    answer = scored["serving_default"](image_bytes=tf.constant([b"broken", *pictures]))
    embedding = scored["embed"](image_bytes=tf.constant(pictures))["embedding"].numpy()
    expected = scored["bundle"].network.unknown(embedding)
    found = answer["unknown_score"].numpy()
    assert found.shape == (len(pictures) + 1,)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[1:], expected, atol=1e-4)
    assert np.ptp(expected) > 0.1
    assert answer["unknown"].dtype == tf.bool
    assert answer["unknown"].numpy()[1:].tolist() == (expected > 1).tolist()
    assert found[0] == 0
    assert not answer["unknown"].numpy()[0]


def test_pixels_and_empty_batches_have_the_unknown_score(scored: dict) -> None:
    images = tf.constant(np.random.default_rng(0).integers(0, 255, (2, 31, 45, 3), np.uint8))
    whole = scored["predict_images"](images=images)
    floats = scored["predict_tensor"](images=tf.cast(images, tf.float32))
    assert set(whole) == {"label", "score", "probabilities", "unknown_score", "unknown"}
    np.testing.assert_allclose(whole["unknown_score"], floats["unknown_score"], atol=1e-4)
    none = scored["predict_images"](images=images[:0])
    assert (none["unknown_score"].shape, none["unknown"].shape) == ((0,), (0,))
    empty = scored["serving_default"](image_bytes=tf.constant([], tf.string))
    assert empty["unknown"].shape == (0,)
