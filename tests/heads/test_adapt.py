import numpy as np
import pytest

import tlkeras as tl
from tlkeras.errors import BackboneError


@pytest.fixture(scope="module")
def classifier() -> object:
    import keras

    image = keras.Input((9, 7, 3), name="pixels")
    out = keras.layers.Conv2D(5, 3, activation="relu", name="conv")(image)
    out = keras.layers.GlobalAveragePooling2D(name="pool")(out)
    out = keras.layers.Dense(10, activation="softmax", name="old")(out)
    model = keras.Model(image, out, name="network")
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.5, value.shape) for value in model.get_weights()])
    return model


PIXELS = np.random.default_rng(1).normal(size=(4, 9, 7, 3)).astype("float32")


def test_old_classifier_is_gone_and_new_one_has_the_classes(classifier: object) -> None:
    model = tl.adapt(classifier, classes=4)
    names = [layer.name for layer in model.layers]
    assert "old" not in names
    assert names[-2:] == ["logits", "probabilities"]
    out = np.asarray(model(PIXELS))
    assert out.shape == (4, 4)
    np.testing.assert_allclose(out.sum(axis=1), 1.0, atol=1e-6)
    assert out.std(axis=0).max() > 1e-3


def test_kept_layers_have_the_same_weights_and_their_own_copies(classifier: object) -> None:
    model = tl.adapt(classifier, classes=4)
    kernel = classifier.get_layer("conv").get_weights()[0]
    np.testing.assert_array_equal(model.get_layer("conv").get_weights()[0], kernel)
    model.get_layer("conv").trainable = False
    assert classifier.get_layer("conv").trainable


def test_named_layer_becomes_the_embedding(classifier: object) -> None:
    model = tl.adapt(classifier, classes=2, layer="conv")
    assert model.get_layer("embedding_pool").output.shape == (None, 5)


def test_result_can_be_frozen_trained_and_saved(classifier: object, tmp_path: object) -> None:
    import keras

    model = tl.adapt(classifier, classes=2, dropout=0.2)
    tl.freeze(model, until="pool")
    before = model.get_layer("conv").get_weights()[0]
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(PIXELS, np.array([0, 1, 1, 0]), verbose=0)
    np.testing.assert_array_equal(model.get_layer("conv").get_weights()[0], before)
    model.save(tmp_path / "adapted.keras")
    again = keras.models.load_model(tmp_path / "adapted.keras")
    np.testing.assert_allclose(again(PIXELS), model(PIXELS), atol=1e-6)


def test_one_class_is_refused(classifier: object) -> None:
    with pytest.raises(BackboneError, match="classes=1"):
        tl.adapt(classifier, classes=1)
