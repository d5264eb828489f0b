"""The preprocessing that belongs to the weights, as plain Keras layers inside the model.

    none    as it is: the network carries its own scaling
    unit    [0, 255] → [0, 1]
    tf      [0, 255] → [-1, 1]
    torch   [0, 1], then ImageNet mean and deviation of each channel
    caffe   RGB → BGR, then ImageNet mean of each channel subtracted
    Scaling mean and deviation of each channel, as a file or a user says them

The arithmetic is `keras.applications.imagenet_utils.preprocess_input`'s.
"""

import keras
import numpy as np

from tlkeras.backbones.spec import MODES, Preprocessing, Scaling

_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


def resize(x: keras.KerasTensor, height: int, width: int) -> keras.KerasTensor:
    """Pixels (n, any, any, 3) → (n, height, width, 3) float32, antialiased, not rounded.

    Without antialiasing a large picture becomes something the weights never saw.
    """
    layer = keras.layers.Resizing(
        height,
        width,
        interpolation="bilinear",
        antialias=True,
        data_format="channels_last",
        dtype="float32",
        name="resize",
    )
    # Keras 3.15 gives this layer training=True by default, and every layer after it in a model
    # that is called without saying: BatchNormalization would run on the batch's statistics.
    return layer(x, training=False)


def preprocess(x: keras.KerasTensor, mode: Preprocessing) -> keras.KerasTensor:
    """RGB pixels (n, h, w, 3) in [0, 255] → what networks of this mode were trained on.

    Example::

        pixels = keras.Input((224, 224, 3))
        stage = keras.Model(pixels, preprocess(pixels, "caffe"))   # BGR, zero-centred
    """
    if mode == "none":
        return x
    bgr, scale, offset = affine(mode)
    if bgr:
        x = keras.ops.flip(x, axis=-1)
    # float32 whatever the global policy: 255 levels do not survive float16 arithmetic.
    return keras.layers.Rescaling(scale, offset=offset, dtype="float32", name="rescale")(x)


def affine(mode: Preprocessing) -> tuple[bool, float | list[float], float | list[float]]:
    """Whether channels are turned to BGR; then the factor and the summand of each, or of all.

    >>> affine("tf") == (False, 1 / 127.5, -1.0)
    True
    """
    if isinstance(mode, Scaling):
        scale = [1 / deviation for deviation in mode.deviation]
        offset = [-m / deviation for m, deviation in zip(mode.mean, mode.deviation, strict=True)]
        return mode.bgr, scale, offset
    if mode == "tf":
        return False, 1 / 127.5, -1.0
    if mode == "torch":
        scale = [1 / (255 * deviation) for deviation in _DEVIATION]
        return False, scale, [-m / d for m, d in zip(_MEAN, _DEVIATION, strict=True)]
    if mode == "caffe":
        return True, 1.0, [-mean for mean in _CAFFE_MEAN_BGR]
    return False, 1 / 255 if mode == "unit" else 1.0, 0.0


def named(scaling: Scaling) -> Preprocessing:
    """The mode that does the same as a Scaling within rounding; the Scaling where none does.

    >>> named(Scaling((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)))
    'tf'
    """
    for mode in MODES:
        bgr, scale, offset = affine(mode)
        mine = affine(scaling)
        if mine[0] == bgr and all(
            np.allclose(a, b, rtol=2e-3, atol=2e-3 * np.max(scale))
            for a, b in ((mine[1], scale), (mine[2], offset))
        ):
            return mode
    return scaling
