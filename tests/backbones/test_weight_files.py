import h5py
import keras
import numpy as np
import pytest

from tlkeras.backbones.catalogue import find
from tlkeras.backbones.graph import embedding_graph
from tlkeras.backbones.weight_files import load_file
from tlkeras.errors import WeightsError


def bare(name: str, **options) -> keras.Model:
    spec = find(name)
    return getattr(keras.applications, spec.application)(
        input_shape=(spec.size_px, spec.size_px, 3), weights=None, **spec.arguments, **options
    )


def equal(first: keras.Model, second: keras.Model) -> bool:
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    "name",
    [
        "MobileNet-0.25@64",
        pytest.param("EfficientNetB0@64", marks=pytest.mark.slow),
        pytest.param("ConvNeXtTiny@64", marks=pytest.mark.slow),
    ],
)
def test_every_tensor_of_a_keras_3_file_arrives_in_its_place(name, tmp_path, randomise):
    source = bare(name, include_top=False, pooling="avg")
    randomise(source, seed=1)
    source.save_weights(tmp_path / "a.weights.h5")
    model = embedding_graph(find(name))
    load_file(model, tmp_path / "a.weights.h5", name)
    assert equal(model, source)


@pytest.mark.parametrize("name", ["MobileNet-0.25@64", "MobileNetV2-0.35@96"])
def test_classifier_on_top_is_left_out(name, tmp_path, randomise):
    source = bare(name, include_top=True)
    randomise(source, seed=2)
    source.save_weights(tmp_path / "top.weights.h5")
    model = embedding_graph(find(name))
    load_file(model, tmp_path / "top.weights.h5", name)
    kept = source.get_weights()[: len(model.weights)]
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), kept, strict=True))


def test_legacy_file_with_its_top_is_cut(tmp_path, randomise):
    source = bare("MobileNet-0.25@64", include_top=True)
    randomise(source, seed=2)
    path = tmp_path / "legacy.h5"
    with h5py.File(path, "w") as file:
        _write_legacy(file, source)
    model = embedding_graph(find("MobileNet-0.25@64"))
    load_file(model, path, "MobileNet-0.25")
    kept = source.get_weights()[: len(model.weights)]
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), kept, strict=True))


def _write_legacy(file: h5py.File, model: keras.Model) -> None:
    file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
    for layer in model.layers:
        group = file.create_group(layer.name)
        names = [f"{layer.name}/{v.name}:0".encode() for v in layer.weights]
        group.attrs["weight_names"] = names
        for name, value in zip(names, layer.get_weights(), strict=True):
            group[name.decode()] = value


def test_normalization_uses_the_loaded_statistics(tmp_path, randomise):
    source = bare("EfficientNetB0@64", include_top=False)
    randomise(source, seed=4)
    source.save_weights(tmp_path / "a.weights.h5")
    model = embedding_graph(find("EfficientNetB0@64"))
    load_file(model, tmp_path / "a.weights.h5", "EfficientNetB0")
    norm, expected = model.get_layer("normalization"), source.get_weights()[0]
    np.testing.assert_allclose(np.asarray(norm.mean).ravel(), expected.ravel(), rtol=1e-6)


def test_half_precision_file_becomes_float32(tmp_path, randomise):
    source = bare("MobileNet-0.25@64", include_top=False)
    randomise(source, seed=6)
    source.save_weights(tmp_path / "full.weights.h5")
    with h5py.File(tmp_path / "full.weights.h5") as full, h5py.File(tmp_path / "h.h5", "w") as half:

        def halve(name: str, node: object) -> None:
            if isinstance(node, h5py.Dataset):
                half[name] = node[()].astype("float16")

        full.visititems(halve)
    model = embedding_graph(find("MobileNet-0.25@64"))
    load_file(model, tmp_path / "h.h5", "MobileNet-0.25")
    for got, exact in zip(model.get_weights(), source.get_weights(), strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, exact, rtol=1e-3, atol=1e-4)


def test_wrong_width_names_layer_shapes_and_the_backbone_that_fits(tmp_path):
    bare("MobileNet-0.5@64", include_top=False).save_weights(tmp_path / "half.weights.h5")
    model = embedding_graph(find("MobileNet-0.25@64"))
    message = (
        r"half\.weights\.h5.*'conv1' takes \[\(3, 3, 3, 8\)\], the file has \[\(3, 3, 3, 16\)\]"
        r".*fits MobileNet-0\.5\."
    )
    with pytest.raises(WeightsError, match=message):
        load_file(model, tmp_path / "half.weights.h5", "MobileNet-0.25")


def test_nothing_is_loaded_from_a_file_that_lacks_a_layer(tmp_path):
    bare("MobileNet-0.25@64", include_top=False).save_weights(tmp_path / "a.weights.h5")
    with h5py.File(tmp_path / "a.weights.h5", "r+") as file:
        del file["layers/conv2d_7"]
    model = embedding_graph(find("MobileNet-0.25@64"))
    before = model.get_weights()
    with pytest.raises(WeightsError, match=r"'conv_pw_7' has no weights in the file"):
        load_file(model, tmp_path / "a.weights.h5", "MobileNet-0.25")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_longer_network_is_not_taken_for_a_shorter_one(tmp_path):
    model = embedding_graph(find("MobileNet-0.25@64"))
    model.save_weights(tmp_path / "a.weights.h5")
    with h5py.File(tmp_path / "a.weights.h5", "r+") as file:
        for number in range(4):
            file[f"layers/dense_{number}/vars/0"] = np.zeros((3, 3))
    with pytest.raises(WeightsError, match=r"4 more layers, from 'dense_0' on"):
        load_file(model, tmp_path / "a.weights.h5", "MobileNet-0.25")


def test_truncated_file_is_an_error(tmp_path):
    bare("MobileNet-0.25@64", include_top=False).save_weights(tmp_path / "a.weights.h5")
    whole = (tmp_path / "a.weights.h5").read_bytes()
    (tmp_path / "a.weights.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=r"cannot be read.*cut short"):
        load_file(embedding_graph(find("MobileNet-0.25@64")), tmp_path / "a.weights.h5", "M")


def test_text_in_place_of_a_file_is_an_error(tmp_path):
    (tmp_path / "a.h5").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_file(embedding_graph(find("MobileNet-0.25@64")), tmp_path / "a.h5", "MobileNet-0.25")


def test_hdf5_of_something_else_is_an_error(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["measurements"] = np.zeros(3)
    with pytest.raises(WeightsError, match=r"with \['measurements'\]"):
        load_file(embedding_graph(find("MobileNet-0.25@64")), tmp_path / "a.h5", "MobileNet-0.25")


def test_nan_in_the_file_is_an_error(tmp_path):
    source = embedding_graph(find("MobileNet-0.25@64"))
    source.get_layer("conv1").set_weights([np.full((3, 3, 3, 8), np.nan)])
    source.save_weights(tmp_path / "nan.weights.h5")
    with pytest.raises(WeightsError, match="NaN or infinity"):
        load_file(source, tmp_path / "nan.weights.h5", "MobileNet-0.25")


def test_file_that_points_to_another_file_is_refused_i10(tmp_path):
    """I10: opening one file does not read another."""
    bare("MobileNet-0.25@64", include_top=False).save_weights(tmp_path / "a.weights.h5")
    with h5py.File(tmp_path / "b.h5", "w") as other:
        other["secret"] = np.zeros((3, 3, 3, 8), "float32")
    with h5py.File(tmp_path / "a.weights.h5", "r+") as file:
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = h5py.ExternalLink("b.h5", "/secret")
    with pytest.raises(WeightsError):
        load_file(embedding_graph(find("MobileNet-0.25@64")), tmp_path / "a.weights.h5", "M")


def test_whole_model_file_is_not_a_weight_file(tmp_path, mobilenet):
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file.attrs["model_config"] = "{}"
    with pytest.raises(WeightsError, match="whole Keras model"):
        load_file(mobilenet, tmp_path / "model.h5", "MobileNet-0.25")


def test_real_legacy_file_gives_what_keras_loads_from_it(shared_data):
    path = shared_data / "weights/original_h5/mobilenet_2_5_224_tf_no_top.h5"
    source = bare("MobileNet-0.25", include_top=False)
    source.load_weights(path)
    model = embedding_graph(find("MobileNet-0.25"))
    load_file(model, path, "MobileNet-0.25")
    assert equal(model, source)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("MobileNet-0.25", "mobilenet_0.25_224_notop"),
        ("MobileNet-0.25", "mobilenet_0.25_224_top_foldedbn"),
        ("MobileNetV2-0.35", "mobilenetv2_0.35_224_notop"),
        ("MobileNetV2", "mobilenetv2_1.0_224_top_foldedbn_dequant"),
    ],
)
def test_real_keras_3_files_fit(name, file, shared_data):
    path = shared_data / f"weights/keras/{file}.weights.h5"
    model = embedding_graph(find(name))
    load_file(model, path, name)
    source = bare(name, include_top="_top_" in file)
    source.load_weights(path)
    kept = source.get_weights()[: len(model.weights)]
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), kept, strict=True))


@pytest.mark.parametrize("name", ["MobileNet-0.25", "MobileNetV2"])
@pytest.mark.parametrize(
    "file",
    [
        "original_h5/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "keras/squeezenet1.1_notop.weights.h5",
    ],
)
def test_weights_of_another_architecture_are_refused(name, file, shared_data):
    with pytest.raises(WeightsError, match=rf"weights of {name} .*squeezenet.*with 25"):
        load_file(embedding_graph(find(name)), shared_data / "weights" / file, name)
