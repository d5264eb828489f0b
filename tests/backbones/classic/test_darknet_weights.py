import struct
from collections import OrderedDict
from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tlkeras.backbones.build import build
from tlkeras.backbones.catalogue import find
from tlkeras.backbones.classic.darknet_weights import load_darknet
from tlkeras.backbones.classic.networks import network
from tlkeras.backbones.classic.torch_weights import load_torch
from tlkeras.errors import WeightsError


def write(path, twin, header: bytes, classes: int = 1000) -> None:
    """A file as Darknet's save_weights writes it."""
    numbers = []
    layers = list(twin.body)
    for conv, norm in pairwise(layers):
        if isinstance(conv, nn.Conv2d):
            numbers += [norm.bias, norm.weight, norm.running_mean, norm.running_var, conv.weight]
    numbers += [twin.last.bias[:classes], twin.last.weight[:classes]]
    flat = [tensor.detach().numpy().ravel() for tensor in numbers]
    path.write_bytes(header + np.concatenate(flat).astype("<f4").tobytes())


@pytest.fixture(scope="module")
def expected(state_file):
    model = network("Darknet19")(input_shape=(64, 64, 3))
    load_torch(model, state_file("Darknet19"), "Darknet19")
    return model.get_weights()


@pytest.fixture
def model():
    return network("Darknet19")(input_shape=(64, 64, 3))


def same(model, expected) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights(), expected, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    "header", [struct.pack("<3iq", 0, 2, 5, 32_013_312), b"\0" * 16], ids=["0.2", "0.0"]
)
@pytest.mark.parametrize("classes", [1000, 0])
def test_file_of_darknet_gives_the_weights_of_the_twin(
    header, classes, twin, model, expected, tmp_path
):
    write(tmp_path / "darknet19.weights", twin("Darknet19"), header, classes)
    load_darknet(model, tmp_path / "darknet19.weights", "Darknet19")
    assert same(model, expected)


@pytest.mark.slow
def test_build_takes_it_by_its_suffix(twin, expected, tmp_path):
    write(tmp_path / "darknet19.weights", twin("Darknet19"), struct.pack("<3iq", 0, 2, 0, 1))
    assert same(build(find("Darknet19@64"), tmp_path / "darknet19.weights"), expected)
    with pytest.raises(WeightsError, match="which is not such a file"):
        build(find("ResNet18@64"), tmp_path / "darknet19.weights")


def test_file_of_another_network_is_refused(model, tmp_path):
    before = model.get_weights()
    for content in (b"", b"\0" * 19, b"\0" * 4000, b"\0" * (16 + 4 * (19_831_776 + 1024))):
        (tmp_path / "a.weights").write_bytes(content)
        with pytest.raises(WeightsError, match=r"weights of Darknet19|\.weights file of Darknet"):
            load_darknet(model, tmp_path / "a.weights", "Darknet19")
    assert same(model, before)


def test_nan_is_refused(model, tmp_path):
    (tmp_path / "a.weights").write_bytes(b"\0" * 16 + b"\xff" * (4 * 19_831_776))
    with pytest.raises(WeightsError, match="NaN or infinity"):
        load_darknet(model, tmp_path / "a.weights", "Darknet19")


@pytest.mark.slow
def test_own_names_are_read_from_safetensors(twin, model, expected, tmp_path):
    renamed, number = OrderedDict(), 0
    for module in twin("Darknet19").body:
        kind = {nn.Conv2d: "conv", nn.BatchNorm2d: "bn"}.get(type(module))
        number += kind == "conv"
        for key, value in module.state_dict().items() if kind else ():
            renamed[f"{kind}{number}.{key}"] = value
    save_file(renamed, tmp_path / "a.safetensors")
    load_torch(model, tmp_path / "a.safetensors", "Darknet19")
    assert same(model, expected)


@pytest.mark.slow
def test_order_alone_does_not_make_another_network_fit(twin, model, tmp_path):
    state = twin("Darknet19").state_dict()
    keys = list(state)
    swapped = OrderedDict((key, state[key]) for key in [*keys[6:12], *keys[:6], *keys[12:]])
    torch.save(swapped, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"'conv1\.weight' is \(64, 32, 3, 3\), expected"):
        load_torch(model, tmp_path / "a.pth", "Darknet19")
    torch.save({"alexnet.0.weight": torch.zeros(64, 3, 11, 11)}, tmp_path / "b.pth")
    with pytest.raises(WeightsError, match=r"'bn18\.weight' is missing"):
        load_torch(model, tmp_path / "b.pth", "Darknet19")
