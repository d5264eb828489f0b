import logging
from pathlib import Path

import keras
import numpy as np
import pytest

from tlkeras.backbones.build import build
from tlkeras.backbones.catalogue import find
from tlkeras.errors import WeightsError

GET_FILE = "keras.src.utils.file_utils.get_file"


def offline(name: str, origin: str, **_: object) -> str:
    raise Exception(f"URL fetch failure on {origin}: None -- Name or service not known")


def test_unreachable_imagenet_weights_name_the_host_and_the_ways_on(monkeypatch):
    monkeypatch.setattr(GET_FILE, offline)
    with pytest.raises(WeightsError) as caught:
        build(find("MobileNetV2-0.35"), "imagenet")
    message = str(caught.value)
    assert "ImageNet weights of MobileNetV2-0.35 could not be downloaded" in message
    assert "storage.googleapis.com" in message
    for way in ("weights='builtin' with TinyResNet", ".weights.h5", "weights=None"):
        assert way in message


def test_default_weights_are_imagenet(monkeypatch):
    monkeypatch.setattr(GET_FILE, offline)
    with pytest.raises(WeightsError, match=r"ImageNet weights of MobileNet-0\.25"):
        build(find("MobileNet-0.25"))


@pytest.mark.parametrize(("size_px", "asked"), [(160, 160), (150, 160), (300, 224), (144, 160)])
def test_imagenet_takes_the_weights_of_the_nearest_size(size_px, asked, monkeypatch, caplog):
    names = []

    def remember(name: str, origin: str, **_: object) -> str:
        names.append(name)
        raise OSError("offline")

    monkeypatch.setattr(GET_FILE, remember)
    with caplog.at_level(logging.INFO), pytest.raises(WeightsError):
        build(find("MobileNet-0.25"), "imagenet", size_px=size_px)
    assert names == [f"mobilenet_2_5_{asked}_tf_no_top.h5"]
    assert (f"at {asked} px" in caplog.text) == (size_px != asked)


def test_imagenet_uses_keras_own_file_and_cache(monkeypatch, shared_data):
    file = shared_data / "weights/original_h5/mobilenet_2_5_224_tf_no_top.h5"
    monkeypatch.setattr(GET_FILE, lambda *_, **__: str(file))
    got = build(find("MobileNet-0.25"), "imagenet")
    direct = build(find("MobileNet-0.25"), file)
    pairs = zip(got.get_weights(), direct.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.slow
def test_imagenet_efficientnet_is_the_applications_own_p2(monkeypatch, tmp_path, randomise):
    """P2: Keras scales EfficientNet once more for ImageNet weights; so do all our graphs."""
    spec = find("EfficientNetB0@64")
    options = {"input_shape": (64, 64, 3), "include_top": False, "pooling": "avg"}
    drawn = keras.applications.EfficientNetB0(weights=None, **options)
    randomise(drawn, seed=7)
    path = tmp_path / "notop.weights.h5"
    drawn.save_weights(path)
    monkeypatch.setattr(GET_FILE, lambda *_, **__: str(path))
    expected = keras.applications.EfficientNetB0(weights="imagenet", **options)
    x = np.random.default_rng(2).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    from_imagenet = build(spec, "imagenet").predict(x, verbose=0)
    from_file = build(spec, path).predict(x, verbose=0)
    target = expected.predict(x, verbose=0)
    assert np.abs(target - drawn.predict(x, verbose=0)).max() > 1e-2
    np.testing.assert_allclose(from_imagenet, target, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(from_file, target, rtol=1e-3, atol=1e-4)


def test_imagenet_refuses_a_size_that_changes_the_layers(monkeypatch):
    monkeypatch.setattr(
        "tlkeras.backbones.weights._download",
        lambda *_: keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 1)]),
    )
    with pytest.raises(WeightsError, match=r"Build it with size_px=192"):
        build(find("MobileNet-0.25@200"), "imagenet")


def test_builtin_of_another_backbone_names_the_one_that_has_it():
    with pytest.raises(WeightsError, match=r"MobileNet@64 has no built-in weights; TinyResNet has"):
        build(find("MobileNet@64"), "builtin")


@pytest.mark.parametrize("wrong", ["imagnet", "Imagenet", "built-in", "defualt"])
def test_unknown_name_suggests_the_right_one(wrong):
    with pytest.raises(WeightsError, match=r"Did you mean '(imagenet|builtin|default)'\?"):
        build(find("MobileNet-0.25@64"), wrong)


def test_missing_file_is_said_to_be_missing():
    with pytest.raises(WeightsError, match=r"got 'nowhere/a\.weights\.h5', which is not there"):
        build(find("MobileNet-0.25@64"), "nowhere/a.weights.h5")


def test_file_of_another_kind_is_refused(tmp_path: Path):
    (tmp_path / "weights.pth").write_bytes(b"PK")
    with pytest.raises(WeightsError, match=r"a file of PyTorch, which MobileNet.* does not take"):
        build(find("MobileNet-0.25@64"), tmp_path / "weights.pth")
    (tmp_path / "weights.npz").write_bytes(b"PK")
    with pytest.raises(WeightsError, match=r"which is not such a file"):
        build(find("MobileNet-0.25@64"), tmp_path / "weights.npz")


def test_whole_model_is_to_be_given_as_the_backbone(tmp_path: Path):
    (tmp_path / "model.keras").write_bytes(b"PK")
    with pytest.raises(WeightsError, match="as the backbone"):
        build(find("MobileNet-0.25@64"), tmp_path / "model.keras")


def test_tampered_file_in_keras_cache_is_not_used(monkeypatch, tmp_path):
    file = tmp_path / "models" / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    file.parent.mkdir()
    file.write_bytes(b"not what was published")
    asked = []

    def unreachable(url: str, *_: object, **__: object) -> None:
        asked.append(url)
        raise OSError("Name or service not known")

    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", unreachable)
    with pytest.raises(WeightsError, match="ImageNet weights of VGG16 could not be downloaded"):
        build(find("VGG16"), "imagenet")
    assert len(asked) == 1  # its hash was wrong, so the real file was wanted
