"""New weights for catalogue backbones and for networks of one's own."""

import keras
import numpy as np

from tlkeras.tasks.choosing.transfer.untrained import at_size, drawn_again, untrained
from tlkeras.tasks.network.assembly import BackboneSource


def test_catalogue_backbone_is_untrained_and_repeatable() -> None:
    source = BackboneSource("TinyResNet", "builtin")
    first, again, other = (untrained(source, seed).fingerprint for seed in (1, 1, 2))
    assert first == again != other
    assert source.frozen(1).fingerprint not in (first, other)


def test_every_weight_of_ones_own_network_is_drawn_again(tiny_backbone: keras.Model) -> None:
    fresh = drawn_again(tiny_backbone, 3)
    before = tiny_backbone.get_layer("conv").get_weights()
    kernel, bias = fresh.get_layer("conv").get_weights()
    assert np.abs(kernel - before[0]).mean() > 0.05
    assert (bias == 0).all()
    same = drawn_again(tiny_backbone, 3).get_layer("conv").get_weights()[0]
    np.testing.assert_array_equal(kernel, same)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 30, 20, 3))
    assert fresh(pixels).shape == (2, 6)


def test_statistics_and_scales_are_new_too() -> None:
    image = keras.Input((None, None, 3))
    out = keras.layers.Conv2D(4, 3)(image)
    out = keras.layers.BatchNormalization(name="norm")(out)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(out))
    norm = model.get_layer("norm")
    norm.set_weights([value + 2.5 for value in norm.get_weights()])
    values = drawn_again(model, 0).get_layer("norm").get_weights()
    assert [value.tolist() for value in values] == [[1] * 4, [0] * 4, [0] * 4, [1] * 4]


def test_backbone_of_the_catalogue_takes_another_size() -> None:
    source = BackboneSource("TinyResNet", "builtin")
    small = at_size(source, True, 64, 0)
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 128, 128, 3)).astype("float32")
    whole = np.asarray(source.frozen().model(pixels))
    assert np.abs(np.asarray(small(pixels)) - whole).max() > 1e-3
    kernels = [layer.get_weights() for layer in small.layers if layer.weights]
    theirs = [layer.get_weights() for layer in source.frozen().model.layers if layer.weights]
    np.testing.assert_array_equal(kernels[0][0], theirs[0][0])
