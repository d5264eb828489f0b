"""The doctor on our own models, on Keras' and on real weights: findings, and no false alarm."""

import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

import tlkeras as tl
from tlkeras.backbones.build import build
from tlkeras.backbones.catalogue import find
from tlkeras.errors import DataError

WEIGHTS = "weights/keras/mobilenetv2_0.35_224_notop.weights.h5"


@pytest.fixture(scope="module")
def run(flower_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    clf = tl.ImageClassifier("TinyResNet", weights="builtin").fit(flower_folder)
    return clf.save(tmp_path_factory.mktemp("runs") / "flowers")


def test_run_folder_of_ours_has_nothing(run: Path, flower_folder: Path) -> None:
    diagnosis = tl.doctor(run, flower_folder)
    assert diagnosis.kinds == ()
    assert diagnosis.ok
    assert "Nothing of what the doctor looks for was found." in str(diagnosis)


def test_model_file_inside_a_run_has_nothing_either(run: Path, flower_folder: Path) -> None:
    assert tl.doctor(run / "model.keras", flower_folder).kinds == ()


def test_classifier_whose_unfrozen_layers_moved_has_nothing(run: Path, flower_folder: Path) -> None:
    clf = tl.ImageClassifier.load(run)
    clf._fitted.fine_tuned = True
    clf.recipe = clf.recipe.replace(unfreeze=1)
    assert tl.doctor(clf).kinds == ("did-not-train",)
    kinds = ("Conv2D", "Dense", "SeparableConv2D", "DepthwiseConv2D")
    end = [layer.name for layer in clf.model.layers].index("embedding")
    last = [layer for layer in clf.model.layers[:end] if type(layer).__name__ in kinds][-1]
    last.set_weights([weight * 1.01 for weight in last.get_weights()])
    assert tl.doctor(clf).kinds == ()


def test_frozen_layer_that_moved_is_found(run: Path) -> None:
    clf = tl.ImageClassifier.load(run)
    layer = next(layer for layer in clf.model.layers if type(layer).__name__ == "Conv2D")
    layer.set_weights([weight + 1e-3 for weight in layer.get_weights()])
    found = tl.doctor(clf)[0]
    assert (found.kind, found.severity) == ("moved-though-frozen", "error")
    assert found.layers == (layer.name,)


def test_layer_that_was_to_train_and_did_not_is_found(run: Path) -> None:
    clf = tl.ImageClassifier.load(run)
    clf._fitted.fine_tuned = True
    clf.recipe = clf.recipe.replace(unfreeze=2)
    found = tl.doctor(clf)[0]
    assert (found.kind, len(found.layers)) == ("did-not-train", 2)


def test_damaged_run_is_a_finding(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "model.keras").write_bytes((copy / "model.keras").read_bytes()[:-10])
    diagnosis = tl.doctor(copy)
    assert diagnosis.kinds == ("damaged-run",)
    assert not diagnosis.ok


@pytest.mark.parametrize("name", ["MobileNet-0.25", "TinyResNet"])
def test_backbone_of_the_catalogue_raises_no_alarm(name: str, flower_folder: Path) -> None:
    model = build(find(name), weights=None, size_px=64)
    severities = {symptom.severity for symptom in tl.doctor(model, flower_folder)}
    assert severities <= {"info"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["EfficientNetV2B0", "MobileNetV3Small", "ResNet50", "ConvNeXtTiny", "VGG16"],
)
def test_families_of_the_catalogue_raise_no_alarm(name: str, flower_folder: Path) -> None:
    model = build(find(name), weights=None, size_px=64)
    diagnosis = tl.doctor(model, flower_folder)
    assert {symptom.severity for symptom in diagnosis} <= {"info"}, str(diagnosis)
    keras.backend.clear_session()


def test_model_of_keras_applications_raises_no_alarm() -> None:
    plain = keras.applications.MobileNetV2((64, 64, 3), alpha=0.35, weights=None, classes=5)
    assert set(tl.doctor(plain).kinds) <= {"never-trained", "no-labels"}


def test_pictures_that_cannot_be_read_are_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match="none of them readable"):
        tl.doctor(run, tmp_path)


def test_model_is_not_changed(run: Path, flower_folder: Path) -> None:
    clf = tl.ImageClassifier.load(run)
    before = [weight.copy() for weight in clf.model.get_weights()]
    flags = [layer.trainable for layer in clf.model.layers]
    tl.doctor(clf.model, flower_folder)
    assert flags == [layer.trainable for layer in clf.model.layers]
    for a, b in zip(before, clf.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def backbone(front: Callable | None, weights: Path, nested: bool) -> keras.Model:
    """Keras' own MobileNetV2 with real weights after `front`, as a tutorial would build it."""
    image = keras.Input((224, 224, 3))
    pixels = front(image) if front else image
    if nested:
        core = keras.applications.MobileNetV2((224, 224, 3), 0.35, False, None, pooling="avg")
        out = core(pixels)
    else:
        core = keras.applications.MobileNetV2(
            alpha=0.35, include_top=False, weights=None, input_tensor=pixels, pooling="avg"
        )
        out = core.output
    from tlkeras.backbones.weight_files import load_file

    load_file(core, weights, "MobileNetV2-0.35")
    out = keras.layers.Dense(2, activation="softmax", name="probabilities")(out)
    return keras.Model(image, out)


def tf(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.Rescaling(1 / 127.5, -1.0)(x)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("front", "kinds"),
    [
        (tf, ()),
        (None, ("input-range",)),
        (lambda x: keras.layers.Rescaling(1 / 255)(x), ("input-range",)),
        (lambda x: tf(keras.layers.Rescaling(1 / 255)(x)), ("scaled-twice",)),
        (lambda x: tf(keras.ops.flip(x, axis=-1)), ("channel-order",)),
    ],
)
@pytest.mark.parametrize("pictures", ["cats_dogs", "clothing_small", "imagenet_sample_100"])
def test_scaling_of_real_weights_is_judged_rightly(  # P2 P3
    front: Callable | None, kinds: tuple[str, ...], pictures: str, shared_data: Path
) -> None:
    model = backbone(front, shared_data / WEIGHTS, nested=pictures == "clothing_small")
    found = tl.doctor(model, shared_data / "datasets" / pictures)
    assert tuple(kind for kind in found.kinds if kind != "no-labels") == kinds
