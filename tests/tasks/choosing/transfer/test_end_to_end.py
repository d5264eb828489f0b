"""Statistics of BatchNorm that are taken again, and courses of small networks."""

import keras
import numpy as np

from tlkeras.tasks.choosing.transfer.end_to_end import _settle, _top_half


def network() -> keras.Model:
    image = keras.Input((None, None, 3), name="image")
    out = keras.layers.Conv2D(5, 3, name="conv")(image)
    out = keras.layers.BatchNormalization(name="norm")(out)
    out = keras.layers.GlobalAveragePooling2D()(out)
    out = keras.layers.Activation("linear", name="embedding")(out)
    return keras.Model(image, keras.layers.Dense(2, name="logits")(out))


def test_statistics_become_those_of_the_pictures() -> None:
    model = network()
    model.trainable = True
    batches = list(np.random.default_rng(0).uniform(0, 255, (3, 4, 12, 9, 3)).astype("float32"))
    _settle(model, batches)
    maps = [np.asarray(model.get_layer("conv")(batch)) for batch in batches]
    norm = model.get_layer("norm")
    means = np.mean([values.mean(axis=(0, 1, 2)) for values in maps], axis=0)
    variances = np.mean([values.var(axis=(0, 1, 2)) for values in maps], axis=0)
    np.testing.assert_allclose(norm.moving_mean, means, rtol=1e-4)
    np.testing.assert_allclose(norm.moving_variance, variances, rtol=1e-3)
    assert norm.momentum == 0.99


def test_statistics_of_a_frozen_norm_stay() -> None:
    model = network()
    norm = model.get_layer("norm")
    norm.trainable = False
    _settle(model, [np.ones((2, 8, 8, 3), "float32")])
    assert np.asarray(norm.moving_mean).tolist() == [0.0] * 5


def test_a_backbone_of_one_layer_trains_that_one() -> None:
    chosen = [layer.name for layer in _top_half(network())]
    assert chosen == ["conv", "logits"]
