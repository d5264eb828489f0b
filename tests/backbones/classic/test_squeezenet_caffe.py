"""The SqueezeNet that came from Caffe by way of Keras 1: other pixels, other names."""

import keras
import numpy as np
import pytest

import tlkeras as tl
from benchmarks.probe import cats_dogs, clothing
from tlkeras.backbones.build import build
from tlkeras.backbones.catalogue import find
from tlkeras.errors import WeightsError

FILES = (
    "original_h5/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "keras/squeezenet1.1_notop.weights.h5",
)
FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128)}
FIRES |= {6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256)}


@pytest.fixture(scope="module")
def as_published() -> keras.Model:
    """Built from the description of the file alone, with its own names and pooling."""
    pixels = keras.Input((224, 224, 3))
    x = keras.layers.Conv2D(64, 3, 2, activation="relu", name="conv1")(pixels)
    for number, (squeezed, expanded) in FIRES.items():
        if number in (2, 4, 6):
            x = keras.layers.MaxPooling2D(3, 2)(x)
        name = f"fire{number}_"
        x = keras.layers.Conv2D(squeezed, 1, activation="relu", name=f"{name}squeeze1x1")(x)
        one = keras.layers.Conv2D(expanded, 1, activation="relu", name=f"{name}expand1x1")(x)
        three = keras.layers.Conv2D(
            expanded, 3, padding="same", activation="relu", name=f"{name}expand3x3"
        )(x)
        x = keras.layers.Concatenate()([one, three])
    return keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize("file", FILES)
def test_real_file_answers_as_the_network_it_was_made_for_p3(file, shared_data, as_published):
    """P3: BGR minus the mean, which belongs to these weights and not to torchvision's."""
    path = shared_data / "weights" / file
    model = build(find("SqueezeNet1.1-caffe"), path)
    as_published.load_weights(shared_data / "weights" / FILES[1])
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 224, 224, 3)).astype("float32")
    pixels[..., 0] *= 0.5
    bgr = pixels[..., ::-1] - np.array([103.939, 116.779, 123.68], "float32")
    expected = as_published.predict(bgr, verbose=0)
    got = model.predict(pixels, verbose=0)
    assert np.abs(got - expected).max() <= 1e-5 * np.abs(expected).max()
    assert np.abs(as_published.predict(pixels, verbose=0) - expected).max() > 1e-1


@pytest.mark.parametrize("file", FILES)
def test_real_file_is_refused_where_pixels_are_scaled_otherwise_p3(file, shared_data):
    with pytest.raises(WeightsError, match=r"came from Caffe.*'SqueezeNet1\.1-caffe'"):
        build(find("SqueezeNet1.1"), shared_data / "weights" / file)


@pytest.mark.slow
@pytest.mark.parametrize(("pictures", "least"), [(clothing, 0.73), (cats_dogs, 0.92)])
def test_frozen_head_reaches_what_the_file_is_known_for(pictures, least, shared_data):
    """The data's provenance has .753 and .930 for a linear probe; .21 and .57 untrained."""
    data = pictures(shared_data, 0)
    clf = tl.ImageClassifier("SqueezeNet1.1-caffe", weights=shared_data / "weights" / FILES[0])
    assert clf.fit(data).evaluate(data.test).accuracy >= least
