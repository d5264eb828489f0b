"""The import zoo: what it holds, that its networks are a test at all, and that some pass."""

import importlib.util
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
if importlib.util.find_spec("timm") is None:  # it cannot be imported without more ado
    pytest.skip("timm is not installed", allow_module_level=True)
onnxruntime = pytest.importorskip("onnxruntime")

from torch import nn  # noqa: E402

from benchmarks.import_zoo import __main__ as command  # noqa: E402
from benchmarks.import_zoo import table  # noqa: E402
from benchmarks.import_zoo.export import exported, parameters  # noqa: E402
from benchmarks.import_zoo.measure import Row  # noqa: E402
from benchmarks.import_zoo.networks import NETWORKS, Input, Network  # noqa: E402
from benchmarks.import_zoo.networks.timm_door import MODULES, timm_network  # noqa: E402
from benchmarks.import_zoo.randomise import randomised  # noqa: E402

ASKED_FOR = {
    *("ResNet", "ResNeXt", "RegNet X", "RegNet Y", "DenseNet", "VGG", "Inception V3", "Xception"),
    *("MobileNet V1", "MobileNet V2", "MobileNet V3", "EfficientNet", "MNASNet", "GhostNet"),
    *("ShuffleNet", "SqueezeNet", "GoogLeNet", "Darknet", "CSPDarknet", "ConvNeXt", "ViT", "DeiT"),
    *("Swin", "MLP-Mixer", "U-Net", "YOLO", "BERT", "LSTM"),
}
FAST = ("bert", "lstm_classifier", "audio_cnn", "autoencoder")
WIDER = (
    *("unet", "resnet18", "regnety_002", "mobilenetv3_small_100", "shufflenet_v2_x1_0"),
    *("squeezenet1_1", "convnextv2_atto", "vit_tiny_patch16_224", "video_cnn", "mobilevit_xxs"),
    *("yolo_spp", "gru_classifier", "transformer_encoder", "lstm_tagger"),
)
BY_DYNAMO = ("unet", "resnet18", "lstm_tagger")  # half a minute each; the benchmark has them all


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


def test_every_family_asked_for_is_there() -> None:
    families = {network.family for network in NETWORKS.values()}
    assert families >= ASKED_FOR
    assert len(families) >= 24
    assert len(NETWORKS) >= 45


def test_pictures_of_plain_networks_are_not_square() -> None:
    for network in NETWORKS.values():
        for entry in network.inputs:
            if network.plain:
                assert len(set(entry.shape)) == len(entry.shape), network.name


@pytest.mark.parametrize("name", FAST)
def test_small_networks_come_over_whole(name: str, cache: Path) -> None:
    row = command.row_of(NETWORKS[name], "torchscript", cache)
    assert row.shortfalls == []


def test_a_small_network_comes_over_by_dynamo(cache: Path) -> None:
    assert command.row_of(NETWORKS["lstm_classifier"], "dynamo", cache).shortfalls == []


@pytest.mark.slow
@pytest.mark.parametrize("name", WIDER)
def test_more_networks_come_over_whole(name: str, cache: Path) -> None:
    row = command.row_of(NETWORKS[name], "torchscript", cache)
    assert row.shortfalls == []


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_DYNAMO)
def test_more_networks_come_over_by_dynamo(name: str, cache: Path) -> None:
    row = command.row_of(NETWORKS[name], "dynamo", cache)
    assert row.shortfalls == []


@pytest.mark.slow
@pytest.mark.parametrize("exporter", command.FOR_A_FEW)
def test_the_other_forms_of_an_export_come_over_whole(exporter: str, cache: Path) -> None:
    row = command.row_of(NETWORKS["resnet18"], exporter, cache)
    assert row.shortfalls == []


def test_no_default_weight_is_left() -> None:
    module = randomised(NETWORKS["lcnet_050"])
    for name, weight in module.named_parameters():
        assert float(weight.detach().std()) > 0 or weight.numel() == 1, name
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert float(part.running_mean.std()) > 0
            assert float(part.running_var.std()) > 0
            assert not part.training
            assert part.momentum is not None


def test_weights_are_the_same_for_the_same_name() -> None:
    state = torch.random.get_rng_state()
    first, second = (randomised(NETWORKS["unet"]).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(state, torch.random.get_rng_state())


def test_inputs_differ_in_every_row_and_axis() -> None:
    picture = Input((3, 5, 7)).sample(2, np.random.default_rng(0))
    assert picture.shape == (2, 3, 5, 7)
    assert picture.dtype == np.float32
    tokens = Input((13,), "tokens", 9).sample(3, np.random.default_rng(0))
    assert tokens.dtype == np.int64
    assert tokens.max() < 9
    mask = Input((13,), "mask").sample(3, np.random.default_rng(0))
    assert mask.sum(axis=1).tolist() == [13, 10, 7]


def test_an_export_keeps_batch_norm_and_is_kept(tmp_path: Path) -> None:
    path = exported(NETWORKS["audio_cnn"], "torchscript", tmp_path)
    written_at = path.stat().st_mtime_ns
    assert exported(NETWORKS["audio_cnn"], "torchscript", tmp_path) == path
    assert path.stat().st_mtime_ns == written_at
    everything, in_norms = parameters(path)
    assert everything > in_norms > 0
    assert path.read_bytes().count(b"running_mean") >= 5


def test_timm_needs_no_torchvision() -> None:
    assert timm_network("lcnet_050") is not None
    real = "torchvision" in sys.modules and sys.modules["torchvision"].__spec__ is not None
    assert real or not set(MODULES) & set(sys.modules)


class Deaf(nn.Module):
    """Answers almost the same whatever comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 1e-6 * self.scale * x.mean((2, 3)) + torch.arange(3.0)


def test_a_network_that_does_not_hear_its_inputs_is_no_test(tmp_path: Path) -> None:
    deaf = Network("deaf", "none", Deaf, (Input((3, 4, 6)),))
    row = command.row_of(deaf, "torchscript", tmp_path)
    assert "inputs hardly matter" in " ".join(row.shortfalls)


def test_a_network_that_fails_is_a_row(tmp_path: Path) -> None:
    def broken() -> nn.Module:
        raise RuntimeError("no such\nnetwork")

    row = command.row_of(Network("broken", "none", broken, ()), "dynamo", tmp_path)
    assert row.shortfalls == ["RuntimeError: no such network"]
    page = table.written([row], tmp_path / "zoo.md").read_text(encoding="utf-8")
    assert "| broken | none | dynamo |" in page
    assert "no such network" in page


def test_json_has_no_numbers_that_are_none(tmp_path: Path) -> None:
    table.written([Row("a", "b", "dynamo", plain=True)], tmp_path / "zoo.md")
    text = (tmp_path / "zoo.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert json.loads(text)["rows"][0]["difference"] is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"difference": 2e-5}, "difference"),
        ({"difference": math.nan}, "difference"),
        ({"spread": 0.001}, "inputs hardly matter"),
        ({"weights_trainable": 3}, "do not train"),
        ({"weights_with_gradient": 3}, "without gradient"),
        ({"trainable": 90}, "became constants"),
        ({"same_after_reload": False}, "saving and loading"),
        ({"transposes": 1}, "transposes"),
    ],
)
def test_each_shortfall_is_named(change: dict[str, float], said: str) -> None:
    good = {
        **{"difference": 1e-6, "spread": 0.3, "parameters_least": 100, "trainable": 98},
        **{"weights": 4, "weights_trainable": 4, "weights_with_gradient": 4},
        **{"same_after_reload": True},
    }
    assert Row("a", "b", "dynamo", plain=True, **good).shortfalls == []
    (shortfall,) = Row("a", "b", "dynamo", plain=True, **good | change).shortfalls
    assert said in shortfall
