import keras
import numpy as np
import pytest

from tlkeras.backbones.graft import embedding_cut, features_of, one_output
from tlkeras.errors import BackboneError

layers = keras.layers
ops = keras.ops


def stem() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """An image (n, 8, 6, 3) and a map (n, 4, 3, 5) from it."""
    image = keras.Input((8, 6, 3))
    return image, layers.Conv2D(5, 3, strides=2, padding="same", name="map")(image)


def removed(image: keras.KerasTensor, out: keras.KerasTensor, classes: int | None = None):
    found = embedding_cut(keras.Model(image, out), classes=classes)
    return found.removed, tuple(found.features.shape)


def test_pooling_and_flattening_may_be_operations():
    image, x = stem()
    pooled = ops.reshape(ops.mean(x, axis=(1, 2), keepdims=True), (-1, 5))
    logits = layers.Dense(7, name="fc")(pooled)
    assert removed(image, ops.softmax(logits)) == (("fc",), (None, 5))


@pytest.mark.parametrize("score", ["softmax", "sigmoid"])
@pytest.mark.parametrize("as_layer", [True, False])
def test_scores_behind_the_classifier_go_with_it(score, as_layer):
    image, x = stem()
    logits = layers.Dense(3, name="fc")(layers.GlobalAveragePooling2D()(x))
    out = layers.Activation(score)(logits) if as_layer else getattr(ops, score)(logits)
    assert removed(image, out / 2.0) == (("fc",), (None, 5))


def test_dropout_before_the_classifier_goes_too():
    image, x = stem()
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D(name="pool")(x))
    model = keras.Model(image, layers.Dense(3)(x))
    assert features_of(model) is model.get_layer("pool").output


def test_convolution_with_a_score_at_each_place_is_the_classifier():
    image, x = stem()
    scores = layers.ReLU()(layers.Conv2D(1000, 1, name="conv10")(x))
    assert removed(image, layers.GlobalAveragePooling2D()(scores)) == (("conv10",), (None, 5))


def test_convolution_at_the_end_of_a_network_without_classifier_stays():
    image, x = stem()
    out = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Conv2D(9, 1, name="head")(x)))
    assert removed(image, out) == ((), (None, 9))
    assert removed(image, out, classes=9) == (("head",), (None, 5))
    assert removed(image, ops.softmax(out)) == (("head",), (None, 5))


def test_hidden_layer_at_the_end_stays():
    image, x = stem()
    hidden = layers.ReLU()(layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))
    assert removed(image, hidden) == ((), (None, 4))


def test_mean_of_two_classifiers_leaves_both_embeddings():
    image, x = stem()
    one, two = layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)
    out = (layers.Dense(3, name="head")(one) + layers.Dense(3, name="dist")(two)) / 2
    assert removed(image, out) == (("head", "dist"), (None, 10))


def test_layer_called_twice_is_cut_where_it_is_called_last():
    image, x = stem()
    shared = layers.Dense(5, name="shared")
    out = shared(shared(layers.GlobalAveragePooling2D()(x)))
    assert removed(image, out) == (("shared",), (None, 5))


def test_output_of_a_classifier_is_chosen_among_others():
    image, x = stem()
    logits = layers.Dense(3, name="fc")(layers.GlobalAveragePooling2D()(x))
    kept = one_output(keras.Model(image, [x, logits]))
    assert kept.output_shape == (None, 3)


def test_two_classifiers_are_told_apart_by_the_labels_or_not_at_all():
    image, x = stem()
    pooled = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, [layers.Dense(3)(pooled), layers.Dense(4)(pooled)])
    assert one_output(model, classes=4).output_shape == (None, 4)
    with pytest.raises(BackboneError, match=r"with 2 .*of which 2 come from a classifier"):
        one_output(model)
    assert one_output(model, layer="map").output_shape == (None, 4, 3, 5)


def test_operation_can_be_named_as_the_embedding():
    image, x = stem()
    y = ops.max(x, axis=(1, 2))
    model = keras.Model(image, layers.Dense(3)(y))
    name = y._keras_history.operation.name
    pixels = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype("float32")
    found = keras.Model(image, features_of(model, name))(pixels)
    np.testing.assert_allclose(found, keras.Model(image, y)(pixels))
