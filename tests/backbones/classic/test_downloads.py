import hashlib
import sys

import numpy as np
import pytest

from tlkeras.backbones.build import build
from tlkeras.backbones.catalogue import backbones, find
from tlkeras.backbones.classic import CLASSICS, downloads
from tlkeras.errors import MissingExtraError, WeightsError

GET_FILE = "keras.utils.get_file"


def test_every_classic_says_where_its_imagenet_weights_are():
    for backbone in backbones():
        where = downloads.source(backbone.name)
        assert bool(where) == (backbone.application in CLASSICS), backbone.name
        assert where.startswith("https://download.pytorch.org/") == (
            bool(where) and "imagenet" in backbone.weights
        )


@pytest.mark.parametrize("weights", ["imagenet", "default"])
def test_offline_names_the_file_and_the_way_to_give_it(weights, monkeypatch):
    def offline(name: str, origin: str, **_: object) -> str:
        raise Exception(f"URL fetch failure on {origin}: None -- Name or service not known")

    monkeypatch.setattr(GET_FILE, offline)
    with pytest.raises(WeightsError) as caught:
        build(find("ResNet18@64"), weights)
    message = str(caught.value)
    assert "ImageNet weights of ResNet18@64 could not be downloaded" in message
    assert "https://download.pytorch.org/models/resnet18-f37072fd.pth" in message
    assert "weights='resnet18-f37072fd.pth'" in message


def test_downloaded_file_is_checked_and_loaded(monkeypatch, state_file):
    file, spec = state_file("SqueezeNet1.1"), find("SqueezeNet1.1@64")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setitem(downloads._FILES, "SqueezeNet1.1", f"squeezenet1_1-{digest[:8]}.pth")
    monkeypatch.setattr(GET_FILE, lambda *_, **__: str(file))
    got, direct = build(spec), build(spec, file)
    pairs = zip(got.get_weights(), direct.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_file_that_is_not_what_its_name_says_is_deleted(monkeypatch, tmp_path):
    (tmp_path / "resnet18-f37072fd.pth").write_text("<html>please log in</html>")
    monkeypatch.setattr(GET_FILE, lambda name, **_: str(tmp_path / name))
    with pytest.raises(WeightsError, match=r"begins with f37072fd .*has been deleted"):
        build(find("ResNet18@64"), "imagenet")
    assert not any(tmp_path.iterdir())


def test_nothing_is_downloaded_that_could_not_be_read(monkeypatch):
    monkeypatch.setattr(GET_FILE, lambda *_, **__: pytest.fail("downloaded"))
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"tlkeras\[torch\]"):
        build(find("ResNet18@64"), "imagenet")


@pytest.mark.parametrize("weights", ["imagenet", "default"])
@pytest.mark.parametrize("name", ["Darknet19", "SqueezeNet1.1-caffe@64"])
def test_what_cannot_be_fetched_is_to_be_brought(name, weights):
    with pytest.raises(WeightsError, match=r"Download (darknet19|squeezenet_).*weights=None"):
        build(find(name), weights)
