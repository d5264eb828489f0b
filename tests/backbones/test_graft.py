import keras
import numpy as np

from tlkeras.backbones.graft import features_of, flatten, leaves

layers = keras.layers


def test_shared_layer_stays_shared():
    image = keras.Input((6, 6, 3))
    shared = layers.Conv2D(3, 1, name="shared")
    source = keras.Model(image, layers.Add()([shared(image), shared(shared(image))]))
    x = keras.Input((6, 6, 3))
    copy = keras.Model(x, flatten(source, x, set()))
    assert len(copy.weights) == len(source.weights) == 2
    data = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32")
    np.testing.assert_allclose(np.asarray(copy(data)), np.asarray(source(data)), rtol=1e-5)


def test_operations_that_are_no_layers_are_copied():
    image = keras.Input((6, 6, 3))
    source = keras.Model(image, keras.ops.flip(image * 2 + 1, axis=-1))
    x = keras.Input((6, 6, 3))
    copy = keras.Model(x, flatten(source, x, set()))
    data = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32")
    np.testing.assert_allclose(np.asarray(copy(data)), np.asarray(source(data)))


def test_clashing_names_of_nested_models_are_told_apart():
    def part(name: str) -> keras.Model:
        image = keras.Input((6, 6, 3))
        return keras.Model(image, layers.Conv2D(3, 1, name="conv")(image), name=name)

    source = keras.Sequential([keras.Input((6, 6, 3)), part("low"), part("high")])
    x = keras.Input((6, 6, 3), name="image")
    copy = keras.Model(x, flatten(source, x, {"image"}))
    assert [layer.name for layer in copy.layers] == ["image", "conv", "high_conv"]


def test_names_taken_by_the_front_are_left_to_it():
    source = keras.Sequential([keras.Input((6, 6, 3)), layers.Flatten(name="resize")], name="net")
    x = keras.Input((6, 6, 3))
    assert keras.Model(x, flatten(source, x, {"resize"})).layers[-1].name == "net_resize"


def test_leaves_go_into_models_inside_models():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.ReLU()])
    outer = keras.Sequential([keras.Input((4,)), inner, layers.Dense(2)])
    assert [type(leaf).__name__ for leaf in leaves(outer)] == ["Dense", "ReLU", "Dense"]


def test_input_of_the_last_dense_is_the_embedding():
    source = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            layers.Flatten(),
            layers.Dense(7, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(2),
            layers.Activation("softmax"),
        ]
    )
    assert tuple(features_of(source).shape) == (None, 7)
