"""How pixels reach the first layer: each defect with a model that has it and one that has not."""

from collections.abc import Callable

import keras
import numpy as np
import pytest


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """Coloured noise of unlike channels, uint8."""
    rng = np.random.default_rng(5)
    means, spreads = np.array([160, 110, 60]), np.array([60, 40, 25])
    drawn = [rng.normal(means, spreads, (20, 28, 3)) for _ in range(12)]
    return [np.clip(one, 0, 255).astype("uint8") for one in drawn]


def trained(model: keras.Model, pictures: list[np.ndarray], scaled: Callable) -> keras.Model:
    """The model with statistics as of a training on pictures scaled so."""
    base = model.get_layer("base") if model.layers[-2].name == "base" else model
    conv, norm = base.get_layer("conv_1"), base.get_layer("norm_1")
    out = np.asarray(conv(scaled(np.stack(pictures).astype("float32"))))
    norm.moving_mean.assign(out.mean((0, 1, 2)))
    norm.moving_variance.assign(out.var((0, 1, 2)))
    return model


def as_tf(x: np.ndarray) -> np.ndarray:
    return x / 127.5 - 1


def test_pixels_scaled_twice_are_found_without_pictures(  # P2
    build: object, examine: object
) -> None:
    def twice(x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.layers.Rescaling(1 / 127.5, -1.0)(keras.layers.Rescaling(1 / 255)(x))

    found = examine(build(front=twice))["scaled-twice"]
    assert found.severity == "error"
    assert found.layers == ("conv_1",)
    assert "-1 to -0.9922" in found.found


@pytest.mark.parametrize("nested", [False, True])
def test_right_scaling_is_not_called_wrong(
    build: object, examine: object, pictures: list[np.ndarray], nested: bool
) -> None:
    assert examine(trained(build(nested=nested), pictures, as_tf), pictures) == {}


@pytest.mark.parametrize("nested", [False, True])
def test_other_scaling_than_in_training_is_an_error_inside_the_model(  # P2
    build: object, examine: object, pictures: list[np.ndarray], nested: bool
) -> None:
    model = build(front=keras.layers.Rescaling(1 / 255, name="rescale"), nested=nested)
    found = examine(trained(model, pictures, as_tf), pictures)["input-range"]
    assert found.severity == "error"
    assert "'unit'" in found.found
    assert "'tf' fits far better" in found.found
    assert "'tf'" in found.fix


def test_scaling_left_to_the_caller_is_a_warning_that_says_which(
    build: object, examine: object, pictures: list[np.ndarray]
) -> None:
    model = build(front=keras.layers.Activation("linear", name="as_it_is"))
    found = examine(trained(model, pictures, as_tf), pictures)["input-range"]
    assert found.severity == "warning"
    assert "preprocessing='tf'" in found.fix


def test_mean_subtraction_of_bgr_is_known_inside_the_model(  # P3
    build: object, examine: object, pictures: list[np.ndarray]
) -> None:
    from tlkeras.backbones.preprocess import preprocess

    def as_caffe(x: np.ndarray) -> np.ndarray:
        return x[..., ::-1] - np.array([103.939, 116.779, 123.68], "float32")

    model = build(front=lambda x: preprocess(x, "caffe"))
    assert examine(trained(model, pictures, as_caffe), pictures) == {}


def test_exchanged_channels_are_found(  # P3
    build: object, examine: object, pictures: list[np.ndarray]
) -> None:
    model = trained(build(), pictures, lambda x: as_tf(x[..., ::-1]))
    found = examine(model, pictures)["channel-order"]
    assert found.severity == "warning"
    assert "flip" in found.fix


def test_network_without_statistics_is_not_judged_by_pictures(
    examine: object, pictures: list[np.ndarray]
) -> None:
    image = keras.Input((None, None, 3))
    out = keras.layers.Conv2D(4, 3, name="conv")(image)
    out = keras.layers.GlobalAveragePooling2D()(out)
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax", name="scores")(out))
    assert examine(model, pictures) == {}


def test_same_answer_to_every_picture_is_found(
    build: object, examine: object, pictures: list[np.ndarray]
) -> None:
    model = trained(build(), pictures, as_tf)
    assert "one-answer" not in examine(model, pictures)
    kernel, bias = model.get_layer("probabilities").get_weights()
    model.get_layer("probabilities").set_weights([0 * kernel, bias])
    assert examine(model, pictures)["one-answer"].severity == "error"


def test_pictures_of_one_class_may_all_be_certain(
    build: object, examine: object, pictures: list[np.ndarray]
) -> None:
    model = trained(build(), pictures, as_tf)
    kernel, bias = model.get_layer("probabilities").get_weights()
    model.get_layer("probabilities").set_weights([kernel, bias + np.array([500, 0, 0, 0])])
    assert examine(model, pictures) == {}


def test_model_of_numbers_is_not_asked_for_pictures(examine: object) -> None:
    image = keras.Input((7,))
    out = keras.layers.Dense(3, activation="softmax", name="scores")(image)
    assert examine(keras.Model(image, out), None) == {}
