import dataclasses
import inspect
import subprocess
import sys

import pytest

from tlkeras.backbones.build import build
from tlkeras.backbones.catalogue import backbones, find
from tlkeras.backbones.classic import CLASSICS
from tlkeras.errors import BackboneError

SMALL = [b.name for b in backbones() if b.parameters < 9_000_000 and b.application != "TinyResNet"]
# Of these no figures of the weights themselves were found.
WITHOUT_FIGURES = {"TinyResNet", "SqueezeNet1.1-caffe"}


def test_reading_the_catalogue_loads_no_tensorflow():
    program = (
        "import sys; from tlkeras.backbones import backbones, find, from_model; backbones();"
        "print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_names_are_unique_whatever_their_case():
    names = [b.name.lower() for b in backbones()]
    assert len(set(names)) == len(names)


def test_every_application_of_keras_is_in_the_catalogue():
    keras = pytest.importorskip("keras")
    there = {
        name
        for name, value in vars(keras.applications).items()
        if inspect.isfunction(value) and name[0].isupper()
    }
    assert there == {b.application for b in backbones()} - {"TinyResNet", *CLASSICS}


def test_every_classic_is_in_the_catalogue_under_its_own_name():
    assert {find(name).application for name in CLASSICS} == set(CLASSICS)
    assert {b.name for b in backbones() if b.application == "ShuffleNetV2"} == {
        f"ShuffleNetV2{width}" for width in ("", "-0.5", "-1.5", "-2.0")
    }


def test_own_size_is_the_default_of_keras():
    keras = pytest.importorskip("keras")
    for name in ("Xception", "EfficientNetB0", "VGG16", "DenseNet121"):
        default = inspect.signature(getattr(keras.applications, name)).parameters["input_shape"]
        assert default.default is None  # the figures in the table are from the sources
    assert find("EfficientNetB7").size_px == 600
    assert find("NASNetLarge").size_px == 331
    assert find("EfficientNetV2S").size_px == 384


def test_find_takes_any_case():
    assert find("mobilenetv2-0.35").name == "MobileNetV2-0.35"


def test_find_suggests_close_names():
    with pytest.raises(BackboneError, match=r"got 'mobilnetv2'\. Did you mean MobileNetV2"):
        find("mobilnetv2")


def test_find_of_nonsense_says_where_the_names_are():
    with pytest.raises(BackboneError, match=r"backbones\(\)"):
        find("§")


def test_find_takes_a_size_after_an_at_sign():
    spec = find("MobileNetV2-0.35@160")
    assert (spec.name, spec.size_px, spec.arguments) == (
        "MobileNetV2-0.35@160",
        160,
        {"alpha": 0.35},
    )


def test_figures_published_for_one_size_are_not_given_for_another():
    assert find("MobileNet@160").published is None
    assert find("MobileNet@224") == find("MobileNet")


@pytest.mark.parametrize("name", ["MobileNet@", "MobileNet@12", "MobileNet@9999", "MobileNet@x"])
def test_find_refuses_a_size_out_of_range(name):
    with pytest.raises(BackboneError, match=r"from 32 to 4096 px.*MobileNet@224"):
        find(name)


def test_size_can_be_replaced():
    assert dataclasses.replace(find("MobileNet"), size_px=160).size_px == 160


def test_specs_can_be_members_of_a_set():
    assert len(set(backbones())) == len(backbones())


def test_published_figures_have_a_source_and_are_per_cent():
    for backbone in backbones():
        if backbone.published is None:
            assert backbone.name in WITHOUT_FIGURES
            continue
        assert backbone.published.source.startswith("https://")
        assert 40 < backbone.published.top1 < 90
        assert backbone.published.top5 is None or backbone.published.top5 > backbone.published.top1
        if backbone.published.parameters is not None:
            assert backbone.published.parameters > 0.75 * backbone.parameters


def test_default_weights_are_the_first():
    assert find("ResNet50").default_weights == "imagenet"
    assert find("TinyResNet").default_weights == "builtin"


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_width_and_parameters_are_those_of_the_built_network(name):
    spec = find(name)
    model = build(spec, None)
    assert model.output_shape == (None, spec.width)
    assert model.count_params() == spec.parameters
