import logging
import sys
import warnings
from collections import OrderedDict

import keras
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tlkeras.backbones.build import build
from tlkeras.backbones.catalogue import find
from tlkeras.backbones.classic.networks import network
from tlkeras.backbones.classic.torch_weights import load_torch
from tlkeras.errors import MissingExtraError, WeightsError

NAME = "ShuffleNetV2-0.5"


@pytest.fixture(scope="module")
def expected(state_file):
    """The weights of the twin, which every other way of loading is compared with."""
    model = network("ShuffleNetV2")(input_shape=(64, 64, 3), alpha=0.5)
    load_torch(model, state_file(NAME), NAME)
    return model.get_weights()


@pytest.fixture(scope="module")
def built():
    return network("ShuffleNetV2")(input_shape=(64, 64, 3), alpha=0.5)


@pytest.fixture
def net(built):
    """A small network of which nothing is loaded yet."""
    for variable in built.weights:
        variable.assign(np.ones(variable.shape))
    return built


@pytest.fixture
def state(twin):
    return OrderedDict(twin(NAME).state_dict())


def same(model: keras.Model, expected: list[np.ndarray]) -> bool:
    pairs = zip(model.get_weights(), expected, strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def refused(model: keras.Model, path, name: str = NAME) -> str:
    before = model.get_weights()
    with pytest.raises(WeightsError) as caught:
        load_torch(model, path, name)
    assert same(model, before)
    return str(caught.value)


def test_every_tensor_arrives_in_its_place(expected, state, net):
    net.set_weights(expected)
    for name, axes in (("stage3.0.branch1.2", (2, 3, 1, 0)), ("stage3.0.branch1.0", (2, 3, 0, 1))):
        kernel = state[f"{name}.weight"].numpy().transpose(axes)
        np.testing.assert_array_equal(net.get_layer(name.replace(".", "_")).kernel, kernel)
    norm = net.get_layer("stage4_3_branch2_4")
    for mine, theirs in (
        (norm.gamma, "weight"),
        (norm.beta, "bias"),
        (norm.moving_mean, "running_mean"),
        (norm.moving_variance, "running_var"),
    ):
        np.testing.assert_array_equal(mine, state[f"stage4.3.branch2.4.{theirs}"])


def test_file_of_before_pytorch_1_6_is_read(net, state, expected, tmp_path):
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    load_torch(net, tmp_path / "old.pth", NAME)
    assert same(net, expected)


def test_safetensors_are_read(net, state, expected, tmp_path):
    save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "model.safetensors")
    load_torch(net, tmp_path / "model.safetensors", NAME)
    assert same(net, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_half_precision_becomes_float32(net, state, expected, tmp_path, dtype, suffix):
    half = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}
    path = tmp_path / f"half.{suffix}"
    save_file(half, path) if suffix == "safetensors" else torch.save(half, path)
    load_torch(net, path, NAME)
    for got, exact in zip(net.get_weights(), expected, strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, exact, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module.", "stage2.0."])
@pytest.mark.parametrize("entry", [None, "state_dict", "model"])
def test_checkpoints_of_training_programs_are_read(net, state, expected, tmp_path, prefix, entry):
    content = {prefix + key: value for key, value in state.items()}
    if entry:
        content = {"epoch": 3, entry: content, "optimizer": {"lr": 0.1}}
    torch.save(content, tmp_path / "checkpoint.pth.tar")
    load_torch(net, tmp_path / "checkpoint.pth.tar", NAME)
    assert same(net, expected)


def test_classifier_is_left_out_whatever_its_width(net, state, expected, tmp_path, caplog):
    state["fc.weight"], state["fc.bias"] = torch.zeros(7, 1024), torch.zeros(7)
    torch.save(state, tmp_path / "seven.pt")
    with caplog.at_level(logging.INFO):
        load_torch(net, tmp_path / "seven.pt", NAME)
    assert same(net, expected)
    assert "left out the classifier (fc)" in caplog.text


def test_file_without_classifier_fits(net, state, expected, tmp_path):
    torch.save({k: v for k, v in state.items() if "fc." not in k}, tmp_path / "a.pth")
    load_torch(net, tmp_path / "a.pth", NAME)
    assert same(net, expected)


def test_everything_wrong_is_told_at_once_with_close_names(net, state, tmp_path):
    state["stage2.1.branch2.conv.weight"] = state.pop("stage2.1.branch2.0.weight")
    del state["conv1.1.running_var"]
    state["conv5.1.bias"] = torch.zeros(1023)
    state["attention.query.weight"] = torch.zeros(3, 3)
    torch.save(state, tmp_path / "a.pth")
    message = refused(net, tmp_path / "a.pth")
    for part in (
        "Expected weights of ShuffleNetV2-0.5 (280 tensors)",
        "a.pth",
        "'stage2.1.branch2.0.weight' is missing, close to 'stage2.1.branch2.conv.weight'",
        "'conv1.1.running_var' is missing",
        "'conv5.1.bias' is (1023,), expected (1024,)",
        "'attention.query.weight' has no place",
    ):
        assert part in message


def test_deeper_network_is_not_taken_for_a_shallower_one(net, state, tmp_path):
    """As ResNet-34 has every tensor that ResNet-18 has, of the same shape, and more."""
    for key in [key for key in state if key.startswith("stage2.3.")]:
        state[key.replace("stage2.3.", "stage2.4.")] = state[key]
    torch.save(state, tmp_path / "a.pth")
    assert "'stage2.4.branch2.0.weight' has no place" in refused(net, tmp_path / "a.pth")


@pytest.mark.slow
def test_backbone_that_fits_by_its_size_is_named(state_file):
    resnet = network("ResNet18")(input_shape=(64, 64, 3))
    assert "it fits ResNet34." in refused(resnet, state_file("ResNet34"), "ResNet18")


@pytest.mark.parametrize(
    "name", ["ultraface_version-slim-320.pth", "ultraface_version-RFB-320.pth"]
)
def test_real_file_of_another_network_is_refused(net, shared_data, name):
    message = refused(net, shared_data / "weights/torch" / name)
    assert "'conv1.0.weight' is missing" in message
    assert "'base_net.0.0.weight' has no place" in message


def test_nan_is_refused(net, state, tmp_path):
    state["conv1.1.bias"] = torch.full((24,), torch.nan)
    torch.save(state, tmp_path / "nan.pth")
    assert "NaN or infinity" in refused(net, tmp_path / "nan.pth")


def test_pickled_module_is_not_opened_i10(net, tmp_path):
    """I10: a pickle runs code; the way out is told."""
    torch.save(nn.Conv2d(3, 3, 1), tmp_path / "module.pt")
    message = refused(net, tmp_path / "module.pt")
    assert "torch.save(model.state_dict()" in message
    assert "weights_only" not in message  # PyTorch's own advice is to switch its safety off


class Runs:
    def __reduce__(self):
        return exec, ("import pathlib; pathlib.Path('ran').write_text('x')",)


def test_code_in_a_file_is_not_run_i10(net, state, tmp_path, monkeypatch):
    """I10: neither beside the tensors nor in place of them."""
    monkeypatch.chdir(tmp_path)
    torch.save({**state, "extra": Runs()}, tmp_path / "a.pth")
    refused(net, tmp_path / "a.pth")
    torch.save(Runs(), tmp_path / "b.pth", _use_new_zipfile_serialization=False)
    refused(net, tmp_path / "b.pth")
    assert not (tmp_path / "ran").exists()


def test_torchscript_is_told_from_weights(net, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its makers have given TorchScript up
        torch.jit.trace(nn.Conv2d(3, 3, 1), torch.zeros(1, 3, 4, 4)).save(tmp_path / "program.pt")
    assert "a TorchScript program" in refused(net, tmp_path / "program.pt")


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [1, 2], torch.zeros(3)])
def test_file_without_named_tensors_is_refused(net, tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    assert "Expected a state_dict" in refused(net, tmp_path / "a.pth")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_broken_file_is_refused(net, state, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    save_file(state, path) if suffix == "safetensors" else torch.save(state, path)
    whole = path.read_bytes()
    for cut in (0, 5, len(whole) // 2):
        path.write_bytes(whole[:cut])
        assert "cut short" in refused(net, path)
    path.write_text("<html>404</html>" * 10)
    assert "Expected a" in refused(net, path)


@pytest.mark.parametrize(("package", "suffix"), [("torch", "pth"), ("safetensors", "safetensors")])
def test_missing_package_is_named_with_its_extra(net, tmp_path, monkeypatch, package, suffix):
    (tmp_path / f"a.{suffix}").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}'.*tlkeras\[torch\]"):
        load_torch(net, tmp_path / f"a.{suffix}", NAME)


@pytest.mark.parametrize(
    "name", ["SqueezeNet1.1", NAME, pytest.param("GoogLeNet", marks=pytest.mark.slow)]
)
def test_file_that_keras_saved_comes_back(name, tmp_path, randomise):
    first, again = (build(find(f"{name}@64"), None, seed=seed) for seed in (1, 2))
    randomise(first)
    first.save_weights(tmp_path / "a.weights.h5")
    loaded = build(find(f"{name}@64"), tmp_path / "a.weights.h5")
    assert same(loaded, first.get_weights())
    assert not same(again, first.get_weights())


def test_keras_application_does_not_take_a_state_dict(state_file):
    with pytest.raises(WeightsError, match=r"a file of PyTorch, which MobileNet-0\.25@64 does"):
        build(find("MobileNet-0.25@64"), state_file(NAME))
