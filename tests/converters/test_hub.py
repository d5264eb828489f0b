"""Folders from the hubs; timm itself is stood in for, since the folder is what is tested."""

import json
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import converters
from converters.errors import MissingExtraError, ReadError
from converters.hub import hub_to_keras
from tests.converters.torch_networks import with_random_weights


class Tiny(nn.Module):
    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=2)
        self.head = nn.Linear(4, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.stem(x).relu().mean((2, 3)))


def create_model(name: str, pretrained: bool, **options: int) -> nn.Module:
    assert not pretrained
    return Tiny(**options)


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("timm")
    module.__version__ = "1.0"
    module.is_model = lambda name: name == "tiny.a1"
    module.create_model = create_model
    monkeypatch.setitem(__import__("sys").modules, "timm", module)
    return module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config = {
        "architecture": "tiny.a1",
        "num_classes": 3,
        "model_args": {"checkpoint_path": "/elsewhere"},
        "pretrained_cfg": {
            "input_size": [3, 20, 24],
            "mean": [0.5, 0.5, 0.5],
            "label_names": ["a", "b", "c"],
        },
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    torch.save(with_random_weights(Tiny(3)).state_dict(), tmp_path / "pytorch_model.bin")
    return tmp_path


@pytest.mark.usefixtures("timm")
def test_timm_folder_becomes_a_model(folder: Path) -> None:
    model = hub_to_keras(folder)
    pixels = np.random.default_rng(0).normal(size=(2, 3, 20, 24)).astype(np.float32)
    with torch.no_grad():
        wanted = with_random_weights(Tiny(3))(torch.from_numpy(pixels)).numpy()
    found = np.asarray(model(pixels.transpose(0, 2, 3, 1), training=False))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    report = converters.import_report(model)
    assert report.kind == "timm"
    assert report.labels == ("a", "b", "c")
    assert report.preprocessing["mean"] == "[0.5, 0.5, 0.5]"


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize("name", ["hf-hub:owner/name", "local-dir:/tmp", "unknown"])
def test_architecture_is_a_plain_known_name(folder: Path, name: str) -> None:
    (folder / "config.json").write_text(json.dumps({"architecture": name}))
    with pytest.raises(ReadError, match="that timm 1"):
        hub_to_keras(folder)


def test_keras_hub_preset_needs_keras_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "keras_hub", None)
    config = {"module": "keras_hub.src.models.resnet", "registered_name": "keras_hub>ResNet"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(MissingExtraError, match=r"keras-hub.*tlkeras\[hub\]"):
        hub_to_keras(tmp_path)


@pytest.mark.parametrize("content", [None, "no json", "[]", '{"model_type": "bert"}'])
def test_other_folders_are_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ReadError, match="Expected"):
        hub_to_keras(tmp_path)


@pytest.mark.usefixtures("timm")
def test_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(ReadError, match=r"model\.safetensors or pytorch_model\.bin"):
        hub_to_keras(folder)
