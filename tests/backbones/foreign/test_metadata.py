import pytest

from tlkeras.backbones.foreign.metadata import said
from tlkeras.backbones.spec import Scaling

TORCH = {"mean": "[123.675, 116.28, 103.53]", "std": "[58.395, 57.12, 57.375]"}


@pytest.mark.parametrize(
    ("facts", "preprocessing"),
    [
        (TORCH, "torch"),
        ({"mean": "(0.485, 0.456, 0.406)", "std": "(0.229, 0.224, 0.225)"}, "torch"),
        ({"mean": "0.5", "std": "0.5"}, "tf"),
        ({"mean": "127.5", "std": "127.5"}, "tf"),
        ({"scale": "0.00784313725490196", "offset": "-1.0"}, "tf"),
        ({"scale": repr(1 / 255)}, "unit"),
        ({"mean": "0", "std": "255"}, "unit"),
        ({"mean": "0.0", "std": "1.0"}, "none"),
        (
            {"mean": "[103.939, 116.779, 123.68]", "std": "[1, 1, 1]", "channel_order": "BGR"},
            "caffe",
        ),
        ({"Image.NominalPixelRange": "Normalized_1_1"}, "tf"),
        ({"Image.NominalPixelRange": "NominalRange_0_255"}, "none"),
        ({"mean": "127", "std": "128"}, Scaling((127.0,) * 3, (128.0,) * 3)),
        ({"names": "{0: 'cat'}"}, None),
    ],
)
def test_what_a_file_says_is_put_into_our_terms(facts, preprocessing):
    assert said(facts).preprocessing == preprocessing


def test_fractions_are_known_for_timm():
    facts = {"mean": "(0.0, 0.0, 0.0)", "std": "(1.0, 1.0, 1.0)"}
    assert said(facts, fractions=True).preprocessing == "unit"


@pytest.mark.parametrize(
    ("text", "size_px"), [("(3, 160, 160)", 160), ("[192, 192]", 192), ("224", 224), ("x", None)]
)
def test_size_is_read(text, size_px):
    assert said({"input_size": text}).size_px == size_px


@pytest.mark.parametrize("std", ["imagenet", "[1, 2]", "0", "__import__('os').system('x')", "nan"])
def test_words_that_are_not_understood_are_told(std):
    found = said({"mean": "0.5", "std": std})
    assert found.preprocessing is None
    assert std in found.unread
