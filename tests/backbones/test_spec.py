import pytest

from tlkeras.backbones.preprocess import named
from tlkeras.backbones.spec import MODES, Scaling, to_preprocessing
from tlkeras.errors import BackboneError


@pytest.mark.parametrize("mode", MODES)
def test_mode_is_itself(mode):
    assert to_preprocessing(mode) == mode


@pytest.mark.parametrize(
    "pair", [(127.5, 127.5), [[127.5] * 3, 127.5], ((127.5,) * 3, (127.5,) * 3)]
)
def test_pair_is_a_scaling_of_three_channels(pair):
    assert to_preprocessing(pair) == Scaling((127.5,) * 3, (127.5,) * 3)


def test_scaling_that_has_a_name_is_called_by_it():
    assert named(Scaling((123.68, 116.28, 103.53), (58.4, 57.12, 57.38))) == "torch"
    assert named(Scaling((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), bgr=True)) == "caffe"
    own = Scaling((127.0,) * 3, (128.0,) * 3)
    assert named(own) == own


def test_unknown_mode_suggests_a_close_one():
    with pytest.raises(BackboneError, match="Did you mean 'torch'"):
        to_preprocessing("Torch")


@pytest.mark.parametrize("pair", [(0.5, 0), (1, 2, 3), ((1, 2), 3), ("a", "b"), (float("nan"), 1)])
def test_what_is_no_scaling_is_refused(pair):
    with pytest.raises(BackboneError):
        to_preprocessing(pair)
