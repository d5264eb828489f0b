"""BatchNormalization: each defect with a model that has it and one that has not."""

import keras
import numpy as np
import pytest

import tlkeras as tl


def resized(**said: bool) -> object:
    return lambda x: keras.layers.Rescaling(1 / 127.5, -1.0)(
        keras.layers.Resizing(20, 28, name="resize")(x, **said)
    )


def test_resizing_in_front_that_sets_training_mode_is_found(  # P6
    build: object, examine: object
) -> None:
    found = examine(build(front=resized()))["batchnorm-mode"]
    assert found.severity == "error"
    assert found.layers == ("resize",)
    assert examine(build(front=resized(training=False))) == {}


def test_norm_built_with_training_true_is_found(build: object, examine: object) -> None:
    model = build()
    image = keras.Input((20, 28, 3))
    out = model.get_layer("rescale")(image)
    out = model.get_layer("norm_1")(model.get_layer("conv_1")(out), training=True)
    out = keras.layers.GlobalAveragePooling2D()(out)
    wrong = keras.Model(image, keras.layers.Dense(4, activation="softmax", name="scores")(out))
    assert "norm_1" in examine(wrong)["batchnorm-mode"].layers


def test_dropout_that_is_always_on_is_found(build: object, examine: object) -> None:
    def ends(**said: bool) -> tuple[object, ...]:
        dropout = keras.layers.Dropout(0.5, name="dropout")
        dense = keras.layers.Dense(4, activation="softmax", name="probabilities")
        return (lambda x: dropout(x, **said)), dense

    assert examine(build(end=ends(training=True)))["answers-random"].layers == ("dropout",)
    assert examine(build(end=ends())) == {}


def test_statistics_of_no_training_are_found(build: object, examine: object) -> None:
    model = build()
    norm = model.get_layer("norm_2")
    norm.moving_mean.assign(np.zeros(6))
    norm.moving_variance.assign(np.ones(6))
    found = examine(model)["statistics-untouched"]
    assert found.severity == "warning"
    assert found.layers == ("norm_2",)


def test_untrained_network_is_told_from_one_that_lost_its_statistics(
    build: object, examine: object
) -> None:
    model = build()
    for name in ("norm_1", "norm_2"):
        norm = model.get_layer(name)
        norm.set_weights([np.ones_like(w) if i in (0, 3) else np.zeros_like(w)
                          for i, w in enumerate(norm.get_weights())])  # fmt: skip
    assert examine(model)["never-trained"].severity == "info"


def test_folded_statistics_are_told_and_grave_only_where_they_would_train(
    build: object, examine: object
) -> None:
    model = build()
    for name in ("norm_1", "norm_2"):
        norm = model.get_layer(name)
        gamma, beta, mean, variance = norm.get_weights()
        norm.set_weights([np.ones_like(gamma), beta, 0 * mean, np.ones_like(variance) - 1e-3])
    assert examine(model)["statistics-folded"].severity == "info"
    model.compile("sgd", "categorical_crossentropy")
    assert examine(model)["statistics-folded"].severity == "warning"
    tl.unfreeze(tl.freeze(model))
    assert examine(model)["statistics-folded"].severity == "info"


@pytest.mark.parametrize(("momentum", "fix"), [(0.1, "momentum=0.9"), (1.0, "momentum=0.99")])
def test_momentum_of_another_framework_is_found(
    build: object, examine: object, momentum: float, fix: str
) -> None:
    found = examine(build(momentum=momentum))["batchnorm-momentum"]
    assert found.fix == fix
    assert found.layers == ("norm_1", "norm_2")


def test_norms_that_train_after_frozen_layers_are_found(  # F3
    build: object, examine: object
) -> None:
    model = build()
    for layer in model.layers[:-1]:
        layer.trainable = "norm" in layer.name
    assert examine(model)["batchnorm-trains"].layers == ("norm_1", "norm_2")
    tl.freeze(model, until="norm_2")
    assert examine(model) == {}
