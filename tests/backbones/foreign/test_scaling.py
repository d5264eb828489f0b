"""A network that was trained on one scaling, fed with pictures under another."""

import keras
import numpy as np
import pytest

from tlkeras.backbones.foreign.scaling import check_scaling
from tlkeras.backbones.imported import from_model
from tlkeras.backbones.preprocess import affine
from tlkeras.backbones.spec import MODES, Scaling

layers = keras.layers


def pictures(seed: int, count: int = 16) -> np.ndarray:
    """(count, 40, 56, 3) in [0, 255]: coloured shades with some noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.linspace(0, 1, 40)[:, None, None], np.linspace(0, 1, 56)[:, None]
    ends = rng.uniform(0, 255, (2, count, 1, 1, 3))
    shade = ends[0] * rows * columns + ends[1] * (1 - columns)
    noise = rng.normal(0, 20, (count, 40, 56, 3))
    return np.clip(shade + noise, 0, 255).astype("float32")


def trained_on(mode, *, folded: bool = False) -> keras.Model:
    """A network whose moving statistics are those of pictures under `mode`."""
    image = keras.Input((24, 20, 3))
    x = layers.Conv2D(16, 3, padding="same", use_bias=folded, name="conv")(image)
    x = layers.BatchNormalization(name="norm")(x)
    model = keras.Model(image, layers.GlobalAveragePooling2D()(layers.ReLU()(x)))
    rng = np.random.default_rng(3)
    conv, norm = model.get_layer("conv"), model.get_layer("norm")
    conv.kernel.assign(rng.normal(0, 0.3, conv.kernel.shape))
    if not folded:
        bgr, scale, offset = affine(mode)
        small = np.asarray(layers.Resizing(24, 20, antialias=True)(pictures(1, 64)))
        scaled = (small[..., ::-1] if bgr else small) * np.array(scale) + np.array(offset)
        out = np.asarray(conv(scaled.astype("float32")))
        norm.moving_mean.assign(out.mean(axis=(0, 1, 2)))
        norm.moving_variance.assign(out.var(axis=(0, 1, 2)))
    return model


@pytest.fixture(scope="module", params=["none", "unit", "tf", "torch", "caffe"])
def network(request) -> tuple[str, keras.Model]:
    return request.param, trained_on(request.param)


def test_right_mode_is_nearest_and_not_complained_about(network):
    mode, source = network
    _, model = from_model(source, preprocessing=mode)
    check = check_scaling(model, mode, pictures(2))
    assert min(check.distance, key=check.distance.get) == mode
    assert check.distance[mode] < 0.1
    assert check.better is None
    assert "not found wrong" in str(check)


def test_wrong_mode_is_complained_about_with_the_right_one_and_figures(network):
    mode, source = network
    for used in MODES:
        close = {used, mode} == {"none", "caffe"}  # the same but for a mean and the channels
        if used == mode or close:
            continue
        _, model = from_model(source, preprocessing=used)
        check = check_scaling(model, used, pictures(2))
        assert check.better == mode, (used, check)
        assert f"say preprocessing='{mode}'" in str(check)
        assert f"'{used}' {check.distance[used]:.2f}" in str(check)


def test_scaling_without_a_name_is_one_of_the_candidates():
    own = Scaling((100.0, 120.0, 140.0), (30.0, 40.0, 50.0), bgr=True)
    _, model = from_model(trained_on(own), preprocessing=own)
    check = check_scaling(model, own, pictures(2))
    assert check.better is None
    assert check.distance[str(own)] < 0.1


def test_scaling_inside_the_network_counts():
    image = keras.Input((24, 20, 3))
    inner = trained_on("unit")
    source = keras.Model(image, inner(layers.Rescaling(1 / 255)(image)))
    _, model = from_model(source)
    assert check_scaling(model, "none", pictures(2)).better is None


@pytest.mark.parametrize("folded", [True, False])
def test_network_without_statistics_is_said_not_to_be_checked(folded):
    source = trained_on("tf", folded=True)
    if not folded:
        image = keras.Input((24, 20, 3))
        source = keras.Model(image, layers.Conv2D(3, 3)(image))
    _, model = from_model(source, preprocessing="tf")
    check = check_scaling(model, "tf", pictures(2))
    assert check.better is None
    assert "could not be checked" in str(check)
