import logging

import keras
import numpy as np
import pytest

from tlkeras.backbones.hashing import fingerprint
from tlkeras.backbones.imported import from_model, looks_like_file
from tlkeras.errors import BackboneError, WeightsError

layers = keras.layers


def classifier(height=24, width=20, scaled=True) -> keras.Sequential:
    """Nested as users write it: a base inside a Sequential."""
    image = keras.Input((height, width, 3))
    x = layers.Conv2D(6, 3, strides=2, activation="relu", name="first")(image)
    base = keras.Model(image, layers.Conv2D(5, 3, name="second")(x), name="base")
    scaling = [layers.Rescaling(1 / 255)] if scaled else []
    top = [layers.GlobalAveragePooling2D(), layers.Dropout(0.3), layers.Dense(4), layers.Softmax()]
    return keras.Sequential([keras.Input((height, width, 3)), *scaling, base, *top])


def before_the_top(model: keras.Sequential, pixels: np.ndarray) -> np.ndarray:
    ready = layers.Resizing(*model.input_shape[1:3], antialias=True)(pixels)
    return np.asarray(keras.Model(model.inputs, model.layers[-4].output)(ready))


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("flowers.keras", True),
        ("old.H5", True),
        ("net.onnx", True),
        ("model.json", True),
        ("runs/flowers", True),
        ("MobileNetV2-0.35", False),
        ("MobileNetV2-0.35@160", False),
        ("Xception", False),
    ],
)
def test_names_and_files_are_told_apart(text, file):
    assert looks_like_file(text) is file


def test_nested_classifier_becomes_a_flat_embedding(pixels):
    source = classifier()
    spec, model = from_model(source, name="mine")
    assert (spec.name, spec.width, spec.size_px, spec.preprocessing) == ("mine", 5, 24, "none")
    assert [layer.name for layer in model.layers[:2]] == ["image", "resize"]
    assert model.layers[-1].name == "embedding"
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    np.testing.assert_allclose(
        model.predict(pixels, verbose=0), before_the_top(source, pixels), rtol=1e-4, atol=1e-5
    )


def test_source_model_is_not_changed_by_training_the_copy():
    source = classifier()
    kept = [w.copy() for w in source.get_weights()]
    _, model = from_model(source)
    model.trainable = False
    model.set_weights([w + 1 for w in model.get_weights()])
    assert all(np.array_equal(a, b) for a, b in zip(kept, source.get_weights(), strict=True))
    assert source.trainable


def test_convolution_as_classifier_is_cut_too():
    source = keras.applications.MobileNet(weights=None, alpha=0.25, input_shape=(64, 64, 3))
    spec, model = from_model(source, preprocessing="tf")
    assert spec.width == 256
    assert "conv_preds" not in [layer.name for layer in model.layers]


def test_map_gets_a_global_average_pooling():
    source = keras.applications.MobileNet(
        weights=None, alpha=0.25, input_shape=(64, 64, 3), include_top=False
    )
    assert from_model(source, preprocessing="tf")[1].output_shape == (None, 256)


def test_pooled_model_is_used_as_it_is(mobilenet, pixels):
    spec, model = from_model(mobilenet)
    assert spec.size_px == 64
    np.testing.assert_allclose(
        model.predict(pixels, verbose=0), mobilenet.predict(pixels, verbose=0), atol=1e-5
    )


def test_one_of_our_own_comes_back_with_the_same_fingerprint(mobilenet):
    assert fingerprint(from_model(mobilenet)[1]) == fingerprint(mobilenet)


def test_layer_named_by_the_user_is_the_embedding():
    assert from_model(classifier(), layer="first")[0].width == 6


def test_unknown_layer_suggests_close_ones():
    with pytest.raises(BackboneError, match=r"got 'frist'\. Did you mean first"):
        from_model(classifier(), layer="frist")


def test_model_without_scaling_is_warned_about_p2(caplog):
    """P2: not scaled at all."""
    from_model(classifier(scaled=False))
    assert "no Rescaling or Normalization" in caplog.text


@pytest.mark.parametrize("scaled", [True, False])
def test_model_with_scaling_or_told_about_it_is_not_warned_about(scaled, caplog):
    with caplog.at_level(logging.WARNING):
        from_model(classifier(scaled=scaled), preprocessing=None if scaled else "caffe")
    assert not caplog.records


def test_preprocessing_is_put_in_front(pixels):
    source = classifier(scaled=False)
    spec, model = from_model(source, preprocessing="caffe")
    assert spec.preprocessing == "caffe"
    bgr = pixels[..., ::-1] - np.array([103.939, 116.779, 123.68], "float32")
    np.testing.assert_allclose(
        model.predict(pixels, verbose=0), before_the_top(source, bgr), rtol=1e-4, atol=1e-3
    )


def test_size_of_a_model_for_any_size_can_be_chosen():
    image = keras.Input((None, None, 3))
    source = keras.Model(image, layers.Conv2D(3, 3)(layers.Rescaling(1 / 255)(image)))
    assert from_model(source)[0].size_px == 224
    spec, model = from_model(source, size_px=96)
    assert (spec.size_px, model.get_layer("resize").height) == (96, 96)


def test_size_of_a_model_for_one_size_cannot():
    with pytest.raises(BackboneError, match="24 x 20 px"):
        from_model(classifier(), size_px=96)


@pytest.mark.parametrize("channels", [1, 4])
def test_model_for_other_channels_is_refused_p5(channels):
    """P5: says what to put in front."""
    source = keras.Sequential([keras.Input((16, 16, channels)), layers.Flatten()])
    with pytest.raises(BackboneError, match=rf"RGB.*Conv2D\({channels}, 1\)"):
        from_model(source)


def test_lambda_layer_is_refused_e8():
    """E8: code inside a model."""
    source = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Lambda(lambda x: x), layers.Flatten()]
    )
    with pytest.raises(BackboneError, match="Lambda layer"):
        from_model(source)


def test_file_with_a_lambda_layer_is_refused_e8(tmp_path):
    """E8: and not run."""
    source = keras.Sequential([keras.Input((16, 16, 3)), layers.Lambda(lambda x: x / 2)])
    source.save(tmp_path / "l.keras")
    with pytest.raises(WeightsError, match=r"l\.keras.*Lambda layer.*not run here"):
        from_model(tmp_path / "l.keras")


def test_savedmodel_layer_is_refused_f5(tmp_path):
    """F5: nothing in it can be trained, and it does not load again."""
    import tensorflow as tf

    module = tf.Module()
    module.f = tf.function(lambda x: x * 2, input_signature=[tf.TensorSpec((None, 8, 8, 3))])
    tf.saved_model.save(module, tmp_path / "sm", signatures={"serving_default": module.f})
    layer = layers.TFSMLayer(tmp_path / "sm", call_endpoint="serving_default")
    image = keras.Input((8, 8, 3))
    source = keras.Model(image, layers.Flatten()(layer(image)["output_0"]))
    with pytest.raises(BackboneError, match=r"TFSMLayer.*no trainable weights"):
        from_model(source)


@pytest.mark.parametrize("name", ["a.onnx", "a.pt2", "a.pt", "a.pb", "a.tflite", "a.keras"])
def test_missing_file_of_any_kind_is_said_to_be_missing(name):
    with pytest.raises(BackboneError, match="not there"):
        from_model(name)


def test_folder_without_a_network_is_said_to_have_none(tmp_path):
    (tmp_path / "notes.txt").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"SavedModel.*notes\.txt"):
        from_model(tmp_path)


@pytest.mark.parametrize("name", ["a.weights.h5", "a.txt"])
def test_file_that_is_no_model_is_refused(name):
    with pytest.raises(BackboneError, match="whole Keras model"):
        from_model(name)


def test_broken_file_is_an_error(tmp_path):
    (tmp_path / "a.keras").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(WeightsError, match=r"cut short.*download or save it again"):
        from_model(tmp_path / "a.keras")


def test_keras_file_gives_what_the_model_gives(tmp_path, pixels):
    source = classifier()
    source.save(tmp_path / "mine.keras")
    spec, model = from_model(str(tmp_path / "mine.keras"))
    assert spec.name == "mine"
    np.testing.assert_allclose(
        model.predict(pixels, verbose=0), before_the_top(source, pixels), rtol=1e-4, atol=1e-5
    )


def test_subclassed_model_is_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(BackboneError, match="Build it functionally"):
        from_model(Own())


def test_anything_else_is_refused():
    with pytest.raises(BackboneError, match=r"got int\. Give a catalogue name"):
        from_model(3)


def test_two_inputs_are_refused():
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    with pytest.raises(BackboneError, match="one picture in"):
        from_model(keras.Model([one, two], layers.Add()([one, two])))


def test_tokens_are_refused_until_a_layer_is_named():
    image = keras.Input((8, 8, 3))
    x = layers.Reshape((64, 3), name="tokens")(layers.Rescaling(1 / 255)(image))
    with pytest.raises(BackboneError, match="layer="):
        from_model(keras.Model(image, layers.LayerNormalization()(x)))


@pytest.mark.slow
def test_classifier_of_keras_applications_gives_the_catalogues_embedding(pixels, randomise):
    source = keras.applications.MobileNetV2(weights=None, alpha=0.35, input_shape=(96, 96, 3))
    randomise(source)
    spec, model = from_model(source, preprocessing="tf")
    assert spec.width == 1280
    assert model.predict(pixels, verbose=0).shape == (2, 1280)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_file_of_keras_2_is_a_backbone(tmp_path, suffix):
    keras2 = pytest.importorskip("tf_keras")
    image = keras2.Input((40, 56, 3))
    x = keras2.layers.Conv2D(5, 3, kernel_regularizer="l2")(image)
    x = keras2.layers.DepthwiseConv2D(3)(keras2.layers.BatchNormalization()(x))
    x = keras2.layers.GlobalAveragePooling2D()(x)
    before = keras2.Model(image, keras2.layers.Dense(3, activation="softmax")(x))
    before.save(tmp_path / f"old{suffix}")
    spec, built = from_model(tmp_path / f"old{suffix}", preprocessing="tf")
    assert spec.width == 5
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 40, 56, 3)).astype(np.float32)
    cut = keras2.Model(image, x)(pixels / 127.5 - 1).numpy()
    np.testing.assert_allclose(np.asarray(built(pixels)), cut, atol=1e-4)


@pytest.mark.slow
def test_file_of_keras_2_with_code_in_it_is_refused_for_that(tmp_path):
    keras2 = pytest.importorskip("tf_keras")
    image = keras2.Input((40, 56, 3))
    x = keras2.layers.Lambda(lambda pixels: pixels * 2, name="twice")(image)
    keras2.Model(image, keras2.layers.Conv2D(3, 3)(x)).save(tmp_path / "old.keras")
    with pytest.raises(BackboneError, match="Lambda"):
        from_model(tmp_path / "old.keras")
