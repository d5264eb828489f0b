"""Freezing that holds, on plain Keras models."""

import numpy as np
import pytest

from tlkeras.errors import BackboneError, FreezeError
from tlkeras.training.freeze import FreezeCheck, freeze, unfreeze


@pytest.fixture
def model() -> object:
    import keras

    inner = keras.Sequential(
        [
            keras.Input((6, 5, 3)),
            keras.layers.Conv2D(4, 3, name="conv_a"),
            keras.layers.BatchNormalization(name="norm_a", momentum=0.5),
            keras.layers.Conv2D(5, 2, name="conv_b"),
        ],
        name="inner",
    )
    image = keras.Input((6, 5, 3))
    out = keras.layers.GlobalAveragePooling2D(name="pool")(inner(image))
    out = keras.layers.Dense(3, activation="softmax", name="logits")(out)
    return keras.Model(image, out)


PIXELS = np.random.default_rng(0).normal(size=(8, 6, 5, 3)).astype("float32")
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])


def train(model: object) -> None:
    model.fit(PIXELS, LABELS, epochs=1, verbose=0)


def compiled(model: object) -> object:
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def values(model: object, name: str) -> list[np.ndarray]:
    from tlkeras.training.freeze import leaf_layers

    return next(layer for layer in leaf_layers(model) if layer.name == name).get_weights()


def moved(model: object, name: str, before: list[np.ndarray]) -> bool:
    pairs = zip(values(model, name), before, strict=True)
    return any(not np.array_equal(now, then) for now, then in pairs)


def test_unfreezing_between_two_fits_trains_without_compiling(model: object) -> None:  # F1
    freeze(compiled(model), until="conv_b")
    train(model)
    before = values(model, "conv_b")
    unfreeze(model)
    train(model)
    assert moved(model, "conv_b", before)


def test_freezing_between_two_fits_holds_without_compiling(model: object) -> None:  # F2
    train(compiled(model))
    before = values(model, "conv_a")
    top = values(model, "logits")
    freeze(model, until="conv_b")
    train(model)
    assert not moved(model, "conv_a", before)
    assert moved(model, "logits", top)


def test_frozen_batchnorm_keeps_its_statistics_and_runs_on_them(model: object) -> None:  # F3
    freeze(compiled(model), until="norm_a")
    before = values(model, "norm_a")
    train(model)
    assert not moved(model, "norm_a", before)
    np.testing.assert_allclose(
        model(PIXELS[:2], training=True), model(PIXELS, training=True)[:2], atol=1e-6
    )


def test_unfrozen_layers_leave_batchnorm_frozen_unless_asked(model: object) -> None:  # F3
    freeze(model)
    unfreeze(model)
    layer = model.get_layer("inner").get_layer("norm_a")
    assert not layer.trainable
    unfreeze(model, batchnorm=True)
    assert layer.trainable


def test_freeze_until_stops_after_the_named_layer(model: object) -> None:
    freeze(model, until="conv_a")
    names = {weight.path.split("/")[-2] for weight in model.trainable_weights}
    assert names == {"norm_a", "conv_b", "logits"}


def test_unfreeze_last_counts_layers_with_weights(model: object) -> None:
    freeze(model)
    unfreeze(model, last=2)
    names = {weight.path.split("/")[-2] for weight in model.trainable_weights}
    assert names == {"conv_b", "logits"}


def test_unknown_layer_lists_close_names(model: object) -> None:
    with pytest.raises(BackboneError, match="'conv_a'"):
        freeze(model, until="conv_aa")


@pytest.mark.parametrize("last", [0, -1, 99])
def test_count_out_of_range_says_the_range(model: object, last: int) -> None:
    with pytest.raises(BackboneError, match="from 1 to 4"):
        unfreeze(model, last=last)


def test_check_finds_a_frozen_weight_that_moved(model: object) -> None:
    freeze(model, until="conv_b")
    check = FreezeCheck.of(model)
    layer = model.get_layer("inner").get_layer("conv_a")
    layer.set_weights([value + 1e-3 for value in layer.get_weights()])
    with pytest.raises(FreezeError, match="conv_a"):
        check.verify(model)


def test_check_finds_that_nothing_trained(model: object) -> None:
    check = FreezeCheck.of(model)
    with pytest.raises(FreezeError, match="Received: none"):
        check.verify(model)


def test_check_names_trainable_weights_that_did_not_move(model: object) -> None:
    check = FreezeCheck.of(model)
    layer = model.get_layer("logits")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel + 1, bias])
    still = check.verify(model)
    assert "logits/bias" in still
    assert "logits/kernel" not in still
