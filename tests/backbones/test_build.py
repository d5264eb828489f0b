import keras
import numpy as np

from tlkeras.backbones.build import reseed


def small() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((8, 9, 3)),
            keras.layers.SeparableConv2D(4, 3),
            keras.layers.DepthwiseConv2D(3),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Conv2D(5, 1),
        ]
    )


def test_every_kernel_follows_the_seed():
    first, again, other = small(), small(), small()
    for model, seed in ((first, 1), (again, 1), (other, 2)):
        reseed(model, seed, weights=True)
    for a, b, c in zip(first.get_weights(), again.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or not np.array_equal(a, c)


def test_kernels_differ_from_each_other():
    model = keras.Sequential([keras.Input((4, 4, 3))] + [keras.layers.Conv2D(3, 1)] * 1)
    model.add(keras.layers.Conv2D(3, 1))
    reseed(model, 0, weights=True)
    assert not np.array_equal(model.get_weights()[0], model.get_weights()[2])


def test_trained_weights_are_left_alone_and_dropout_is_seeded():
    first, again = small(), small()
    before = first.get_weights()
    for model in (first, again):
        reseed(model, 4, weights=False)
    assert all(np.array_equal(a, b) for a, b in zip(before, first.get_weights(), strict=True))
    masks = [
        np.asarray(model.layers[3](np.ones((2, 50)), training=True)) for model in (first, again)
    ]
    np.testing.assert_array_equal(*masks)
