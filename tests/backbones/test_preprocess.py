import keras
import numpy as np
import pytest

from tlkeras.backbones.build import build
from tlkeras.backbones.catalogue import backbones, find
from tlkeras.backbones.imported import from_model
from tlkeras.backbones.preprocess import preprocess

MODULES = {
    "Xception": "xception",
    "VGG16": "vgg16",
    "VGG19": "vgg19",
    "ResNet50": "resnet",
    "ResNet50V2": "resnet_v2",
    "InceptionV3": "inception_v3",
    "InceptionResNetV2": "inception_resnet_v2",
    "MobileNet": "mobilenet",
    "MobileNetV2": "mobilenet_v2",
    "MobileNetV3Small": "mobilenet_v3",
    "DenseNet121": "densenet",
    "NASNetMobile": "nasnet",
    "EfficientNetB0": "efficientnet",
    "EfficientNetV2B0": "efficientnet_v2",
    "ConvNeXtTiny": "convnext",
}


def stage(mode: str) -> keras.Model:
    x = keras.Input((None, None, 3), name="image")
    y = preprocess(x, mode)
    return keras.Model(x, keras.layers.Identity()(y))


@pytest.mark.parametrize("name", MODULES)
def test_stage_is_what_keras_does_for_the_family_p3(name, pixels):
    """P3: each family gets the scaling and channel order it was trained with."""
    module = getattr(keras.applications, MODULES[name])
    expected = np.asarray(module.preprocess_input(pixels.copy()))
    got = np.asarray(stage(find(name).preprocessing)(pixels))
    assert got.shape == expected.shape
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=2e-4)


def test_all_members_of_a_family_share_a_mode():
    families: dict[str, set[str]] = {}
    for backbone in backbones():
        family = next(
            (
                key
                for key in (
                    "ConvNeXt",
                    "DenseNet",
                    "EfficientNet",
                    "MobileNetV3",
                    "VGG",
                    "NASNet",
                    "Inception",
                )
                if backbone.application.startswith(key)
            ),
            backbone.application,
        )
        if not backbone.name.endswith("-caffe"):  # weights of another origin, which is its point
            families.setdefault(family, set()).add(backbone.preprocessing)
    assert all(len(modes) == 1 for modes in families.values()), families


@pytest.mark.parametrize("mode", ["none", "tf", "torch", "caffe"])
def test_stage_survives_saving_without_custom_objects(mode, pixels, tmp_path):
    """E8: no Lambda, no custom class: Keras opens it in its safe mode."""
    model = stage(mode)
    model.save(tmp_path / "stage.keras")
    again = keras.models.load_model(tmp_path / "stage.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(again(pixels)), np.asarray(model(pixels)))


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("MobileNet-0.25", "mobilenet"),
        ("MobileNetV2-0.35", "mobilenet_v2"),
        pytest.param("MobileNetV3Small", "mobilenet_v3", marks=pytest.mark.slow),
    ],
)
def test_scaling_is_done_exactly_once_p2(name, module, randomise):
    """P2: the built model is the application on its own preprocessed input, nothing twice."""
    spec = find(f"{name}@64")
    model = build(spec, None)
    bare = getattr(keras.applications, spec.application)(
        input_shape=(64, 64, 3), include_top=False, weights=None, pooling="avg", **spec.arguments
    )
    randomise(model, seed=3)
    bare.set_weights(model.get_weights())
    x = np.random.default_rng(1).uniform(0, 255, (3, 64, 64, 3)).astype("float32")
    x[..., 0] *= 0.3
    ready = getattr(keras.applications, module).preprocess_input(x.copy())
    expected = bare.predict(ready, verbose=0)
    got = model.predict(x, verbose=0)
    assert np.abs(expected - bare.predict(ready[..., ::-1], verbose=0)).max() > 1e-2
    assert np.abs(expected[0] - expected[1]).max() > 1e-2
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_resnet_gets_bgr_with_the_mean_subtracted_p3(pixels):
    """P3: pixel for pixel, blue first."""
    got = np.asarray(stage("caffe")(pixels))
    np.testing.assert_allclose(got[..., 0], pixels[..., 2] - 103.939, atol=1e-4)
    np.testing.assert_allclose(got[..., 2], pixels[..., 0] - 123.68, atol=1e-4)


@pytest.mark.parametrize("mode", ["torch", "caffe"])
def test_grey_through_per_channel_constants_means_equal_channels_p5(mode, pixels):
    """P5: where a constant of three channels meets one, the result is that of R = G = B."""
    grey = pixels[..., :1]
    np.testing.assert_array_equal(
        np.asarray(stage(mode)(grey)), np.asarray(stage(mode)(np.repeat(grey, 3, axis=-1)))
    )


@pytest.mark.parametrize("own", [False, True])
def test_model_called_without_saying_training_does_not_train(own: bool) -> None:
    """A Resizing layer in front makes Keras 3.15 run every BatchNormalization after it on the
    statistics of the batch, in any model that is called without `training` (P6)."""
    model = build(find("MobileNet-0.25"), weights=None, size_px=64)
    if own:  # the same in a user's own model, copied
        pixels = keras.Input((None, None, 3))
        out = keras.layers.BatchNormalization()(keras.layers.Resizing(16, 24)(pixels))
        _, model = from_model(keras.Model(pixels, out), preprocessing="none")
    pixels = np.random.default_rng(0).uniform(0, 255, (5, 40, 70, 3)).astype("float32")
    expected = model.predict(pixels, verbose=0)
    np.testing.assert_allclose(model(pixels), expected, atol=1e-5)
    np.testing.assert_allclose(model(pixels[:2]), expected[:2], atol=1e-5)
