"""Each classic network answers as its PyTorch twin does, map and embedding, at any size."""

import dataclasses

import keras
import numpy as np
import pytest
import torch

from tests.backbones.classic.torch_networks import NETWORKS
from tlkeras.backbones.build import build
from tlkeras.backbones.catalogue import find
from tlkeras.backbones.classic.networks import network
from tlkeras.backbones.classic.torch_weights import load_torch
from tlkeras.backbones.graph import application

SMALL = ("ResNet18", "SqueezeNet1.1", "GoogLeNet", "ShuffleNetV2-0.5")
# Larger networks of the same code; the fast run has their smaller sisters.
NAMES = [name if name in SMALL else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS]
# Even, odd, and such as need ceil_mode; no two sides alike.
SIZES = [(64, 96), (97, 75), (83, 118)]
TOLERANCE = 1e-5


def difference(got: np.ndarray, expected: np.ndarray) -> float:
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype == np.float32
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def bare(name: str, height: int, width: int, pooling: str | None) -> keras.Model:
    spec = find(name)
    arguments = {key: value for key, value in spec.arguments.items() if key != "rescaling"}
    build_it = application(spec.application)
    return build_it(input_shape=(height, width, 3), pooling=pooling, **arguments)


def noise(height: int, width: int) -> np.ndarray:
    x = np.random.default_rng(height).normal(0, 1, (2, height, width, 3))
    x[1, : height // 2] += 0.7
    return (x * [0.5, 1.0, 1.5]).astype("float32")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_map_is_that_of_the_twin(name, height, width, twin, state_file):
    mine, x = bare(name, height, width, None), noise(height, width)
    load_torch(mine, state_file(name), name)
    with torch.no_grad():
        expected = twin(name).features(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()
    got = np.asarray(mine(x, training=False))
    expected = np.ascontiguousarray(expected.transpose(0, 2, 3, 1))
    assert np.abs(expected[0] - expected[1]).max() > 1e-2 * np.abs(expected).max()
    assert difference(got, expected) <= TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_backbone_is_the_twin_on_pictures_scaled_as_its_makers_do(name, twin, state_file):
    """P2, P3: the scaling of each family is written out here once more."""
    spec = dataclasses.replace(find(name), size_px=64)
    model = build(spec, state_file(name))
    pixels = np.random.default_rng(3).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    pixels[..., 0] *= 0.4
    unit = torch.from_numpy(pixels.transpose(0, 3, 1, 2) / 255)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    ready = unit if name == "Darknet19" else (unit - mean) / deviation
    if name == "GoogLeNet":  # what torchvision's transform_input does to it, and why
        ready = ready * (deviation / 0.5) + (mean - 0.5) / 0.5
        torch.testing.assert_close(ready, unit * 2 - 1, atol=1e-5, rtol=0)
    with torch.no_grad():
        expected = twin(name)(ready).numpy()
    got = model.predict(pixels, verbose=0)
    assert got.shape == (2, spec.width)
    assert difference(got, expected) <= 2 * TOLERANCE
    assert difference(model.predict(pixels[..., ::-1], verbose=0), expected) > 1e-2


@pytest.mark.parametrize("name", ["ResNet18", "ShuffleNetV2-0.5"])
def test_layers_are_called_as_in_torchvision(name, twin):
    modules = {key.rpartition(".")[0] for key in twin(name).state_dict()} - {"fc"}
    model = bare(name, 64, 96, "avg")
    mine = {layer.name for layer in model.layers if layer.weights}
    assert mine == {module.replace(".", "_") for module in modules}


@pytest.mark.parametrize("name", NAMES)
def test_published_parameters_are_those_of_the_network_and_its_classifier(name):
    spec = find(name)
    model = bare(name, 64, 96, "avg")
    learned = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert model.count_params() == spec.parameters
    if spec.published.parameters is not None:
        assert learned + 1000 * (spec.width + 1) == spec.published.parameters


@pytest.mark.parametrize("name", ["ShuffleNetV2-0.5", "SqueezeNet1.1", "Darknet19"])
def test_saved_network_opens_without_custom_classes_e8(name, tmp_path):
    """E8: Keras' own layers and operations only, in safe mode."""
    arguments = dict(find(name).arguments)
    model = network(find(name).application)(input_shape=(64, 96, 3), **arguments)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras", safe_mode=True)
    x = noise(64, 96)
    np.testing.assert_array_equal(again(x, training=False), model(x, training=False))


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="ResNet18 takes include_top=False"):
        network("ResNet18")(include_top=True)
    with pytest.raises(ValueError, match=r"alpha 0\.5, 1\.0, 1\.5, 2\.0"):
        network("ShuffleNetV2")(alpha=0.7)
    with pytest.raises(ValueError, match="of a known size"):
        network("ShuffleNetV2")(input_shape=(None, None, 3))
