import random
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

from tlkeras.backbones.build import build
from tlkeras.backbones.catalogue import find
from tlkeras.backbones.graph import embedding_graph, snake_case
from tlkeras.backbones.imported import from_model
from tlkeras.errors import BackboneError


def test_form_is_image_in_and_embedding_out(mobilenet):
    assert mobilenet.input_shape == (None, None, None, 3)
    assert mobilenet.layers[0].name == "image"
    assert mobilenet.layers[-1].name == "embedding"
    assert mobilenet.output_shape == (None, 256)


def test_any_picture_size_gives_a_finite_embedding_that_depends_on_it(mobilenet, pixels):
    out = mobilenet.predict(pixels, verbose=0)
    assert out.shape == (2, 256)
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    assert np.abs(out[0] - out[1]).max() > 1e-2


def test_resizing_inside_is_antialiased_p1():
    """P1: a large noisy picture becomes what PIL makes of it, which plain Resizing misses."""
    noisy = np.random.default_rng(0).integers(0, 256, (300, 420, 3), dtype=np.uint8)
    model = embedding_graph(find("MobileNet-0.25@96"))
    inside = keras.Model(model.input, model.get_layer("resize").output)
    got = np.asarray(inside(noisy[None].astype("float32")))[0]
    size = (96, 96)
    expected = np.asarray(Image.fromarray(noisy).resize(size, Image.Resampling.BILINEAR), float)
    plain = np.asarray(keras.layers.Resizing(96, 96)(noisy[None].astype("float32")))[0]
    assert np.abs(got - expected).mean() < 0.5
    assert np.abs(plain - expected).mean() > 5


def test_graph_is_flat_so_that_inner_layers_are_reached_by_name_e9(mobilenet, pixels):
    """E9: one graph from the picture to any layer."""
    assert not any(isinstance(layer, keras.Model) for layer in mobilenet.layers)
    inner = keras.Model(mobilenet.input, mobilenet.get_layer("conv_pw_13_relu").output)
    assert inner.predict(pixels, verbose=0).shape == (2, 2, 2, 256)


def test_layer_names_are_the_same_in_a_second_build():
    keras.layers.Conv2D(1, 1)  # moves Keras' own numbering on
    first, second = (embedding_graph(find("MobileNetV3Small@64")) for _ in range(2))
    assert [o.name for o in first.operations] == [o.name for o in second.operations]
    assert "activation" in [layer.name for layer in first.layers]


def test_grey_pictures_do_not_pass_for_colour_p5(mobilenet):
    """P5: one channel into a three-channel stem is Keras' own error."""
    with pytest.raises(Exception, match=r"(?i)depth of input|shape|channel"):
        mobilenet(np.zeros((2, 64, 64, 1), "float32"))


def test_output_is_float32_under_mixed_precision_f8(pixels):
    """F8: the embedding and the preprocessing stay float32, the network computes in float16."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = embedding_graph(find("MobileNet-0.25@64"))
    finally:
        keras.config.set_dtype_policy(policy)
    assert model.get_layer("conv1").compute_dtype == "float16"
    assert model.get_layer("rescale").compute_dtype == "float32"
    assert model.output.dtype == "float32"


def test_size_too_small_for_the_network_is_an_error():
    with pytest.raises(BackboneError, match=r"InceptionV3 cannot be built for pictures of 64 px"):
        build(find("InceptionV3"), None, size_px=64)


def test_channels_first_is_an_error():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(BackboneError, match="channels_last"):
            embedding_graph(find("MobileNet-0.25"))
    finally:
        keras.config.set_image_data_format("channels_last")


def test_untrained_weights_depend_on_the_seed_alone():
    spec = find("MobileNet-0.25@64")
    first, again, other = (build(spec, None, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    kernels = [i for i, w in enumerate(first) if w.ndim == 4]
    assert not any(np.array_equal(first[i], other[i]) for i in kernels)


def test_building_does_not_seed_the_global_generators():
    np.random.seed(3)
    numpy_state = np.random.get_state()[1].copy()
    random.seed(3)
    build(find("MobileNet-0.25@64"), None, seed=9)
    first = random.random()
    random.seed(3)
    build(find("MobileNet-0.25@64"), None, seed=8)
    assert (np.random.get_state()[1] == numpy_state).all()
    assert random.random() == first  # the seed given does not reach Python's generator


def test_spec_of_an_imported_model_cannot_be_built(mobilenet):
    spec, _ = from_model(mobilenet)
    with pytest.raises(BackboneError, match="from_model returned"):
        build(spec)


def test_snake_case_is_keras_own():
    names = {
        "Conv2D": "conv2d",
        "ReLU": "re_lu",
        "GlobalAveragePooling2D": "global_average_pooling2d",
        "BatchNormalization": "batch_normalization",
    }
    assert {name: snake_case(name) for name in names} == names
    assert keras.layers.ReLU().name.startswith("re_lu")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "MobileNet-0.25@64",
        "ResNet50@64",
        "ConvNeXtTiny@64",
        "InceptionResNetV2@96",
        "EfficientNetB0@64",
    ],
)
def test_saved_model_opens_in_a_process_without_tlkeras_e8(name, pixels, tmp_path, randomise):
    """E8, P4: plain keras.models.load_model, safe mode, same numbers."""
    model = build(find(name), None)
    if "ConvNeXt" not in name:
        randomise(model)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "pixels.npy", pixels)
    program = (
        "import keras, numpy, sys; m = keras.models.load_model('model.keras');"
        "numpy.save('out.npy', m.predict(numpy.load('pixels.npy'), verbose=0));"
        "assert 'tlkeras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy"), model.predict(pixels, verbose=0), rtol=1e-4, atol=1e-4
    )
