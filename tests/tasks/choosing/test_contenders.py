"""Which backbones are judged, and why the others are not."""

from pathlib import Path

import pytest

import tlkeras as tl
from tlkeras.backbones.catalogue import backbones, find
from tlkeras.errors import BackboneError
from tlkeras.tasks.choosing.contenders import Limits, contenders, is_at_hand


@pytest.fixture
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path


def test_without_names_what_needs_no_download_takes_part(keras_home: Path) -> None:
    (keras_home / "models" / "mobilenet_2_5_224_tf_no_top.h5").touch()
    found, left_out = contenders(None, Limits())
    assert [one.name for one in found] == ["TinyResNet", "MobileNet-0.25"]
    assert len(found) + len(left_out) == len(backbones())
    reasons = {one.name: one.reason for one in left_out}
    assert "not on this machine" in reasons["ResNet50"]
    assert "cannot be fetched by name" in reasons["Darknet19"]


def test_every_backbone_that_is_fetched_has_a_file_name_of_its_own() -> None:
    names = [one.keras_file for one in backbones() if "imagenet" in one.weights]
    assert all(names)
    assert len(set(names)) == len(names)
    assert not any(one.keras_file for one in backbones() if "imagenet" not in one.weights)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNetV2-0.35", "MobileNet-0.5", "MobileNetV3Small-0.75",
                                  "EfficientNetV2B0", "VGG16", "ResNet50V2"])  # fmt: skip
def test_file_name_is_the_one_that_keras_asks_for(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras.src.utils import file_utils

    from tlkeras.backbones.build import build
    from tlkeras.errors import WeightsError

    asked = []

    def get_file(fname: str | None = None, origin: str = "", **_: object) -> str:
        asked.append(fname or origin.rpartition("/")[2])
        raise OSError("no network")

    monkeypatch.setattr(file_utils, "get_file", get_file)
    with pytest.raises(WeightsError):
        build(find(name), "imagenet")
    assert asked == [find(name).keras_file]


def test_weights_that_were_fetched_are_at_hand(keras_home: Path) -> None:
    spec = find("VGG16")
    assert not is_at_hand(spec)
    (keras_home / "models" / spec.keras_file).touch()
    assert is_at_hand(spec)


def test_every_kind_of_name_is_taken(tiny_backbone: object, tmp_path: Path) -> None:
    tiny_backbone.save(tmp_path / "mine.keras")
    named = [
        "mobilenetv2",
        ("MobileNet-0.25", None),
        tmp_path / "mine.keras",
        tiny_backbone,
        tl.ImageClassifier("TinyResNet", weights=None),
    ]
    found, left_out = contenders(named, Limits())
    assert left_out == []
    assert [one.name for one in found[:3]] == ["MobileNetV2", "MobileNet-0.25", "mine.keras"]
    assert found[3].source.origin is tiny_backbone
    assert found[4].name == "TinyResNet"
    assert found[4].source.weights is None


def test_names_that_are_the_same_are_told_apart() -> None:
    found, _ = contenders(
        ["TinyResNet", ("TinyResNet", None), ("TinyResNet", "a/w.h5"), ("TinyResNet", "b/w.h5")],
        Limits(),
    )
    names = [one.name for one in found]
    assert names[:3] == ["TinyResNet (builtin)", "TinyResNet (untrained)", "TinyResNet (w.h5)"]
    assert len(set(names)) == 4


def test_licence_and_size_rule_out_before_anything_is_built() -> None:
    limits = Limits(max_mb=10, licences=("apache-2.0",))
    found, left_out = contenders(
        ["TinyResNet", "DenseNet121", "MobileNet", "EfficientNetB0"], limits
    )
    assert [one.name for one in found] == ["TinyResNet"]
    assert {one.name: one.reason for one in left_out} == {
        "DenseNet121": "the licence of its weights is BSD-3-Clause",
        "MobileNet": "12.9 MB are more than 10",
        "EfficientNetB0": "the licence of its weights is not stated",
    }


def test_limits_on_measured_figures() -> None:
    limits = Limits(max_mb=10, max_ms=5)
    assert limits.broken_by(9.0, 4.0) == ""
    assert limits.broken_by(11.0, 4.0) == "11 MB are more than 10"
    assert limits.broken_by(9.0, 6.0) == "6 ms a picture are more than 5"


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (["MobilNetV2"], "Did you mean"),
        ("MobileNetV2", "Put it into a list"),
        ([("MobileNetV2", "a", "b")], "Give two parts"),
    ],
)
def test_wrong_names_are_refused_with_what_to_do(named: object, message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        contenders(named, Limits())


@pytest.mark.parametrize("limits", [{"max_mb": 0}, {"max_ms": -1}, {"licences": ("Apache",)}])
def test_wrong_limits_are_refused(limits: dict) -> None:
    with pytest.raises(BackboneError, match="Received"):
        Limits(**limits)
