"""What `tlkeras train` makes of its options."""

from dataclasses import replace

import pytest

from tlkeras.cli.train import Choice
from tlkeras.errors import BackboneError

PLAIN = Choice("net.onnx", "default", "linear", None, None, (), 0)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        (None, None),
        ("torch", "torch"),
        ("127.5/127.5", (127.5, 127.5)),
        ("123.7,116.3,103.5/58.4,57.1,57.4", ([123.7, 116.3, 103.5], [58.4, 57.1, 57.4])),
    ],
)
def test_preprocessing_is_a_mode_or_a_mean_and_a_deviation(text, given):
    assert replace(PLAIN, preprocessing=text).scaling() == given


def test_mean_that_is_no_number_is_refused():
    with pytest.raises(BackboneError, match=r"'a'.*127\.5/127\.5"):
        replace(PLAIN, preprocessing="a/1").scaling()
