"""The preprocessing that belongs to the weights, as plain Keras layers inside the model.

    none    as it is: the network carries its own scaling
    tf      [0, 255] → [-1, 1]
    torch   [0, 1], then ImageNet mean and deviation of each channel
    caffe   RGB → BGR, then ImageNet mean of each channel subtracted

The arithmetic is `keras.applications.imagenet_utils.preprocess_input`'s.
"""

import keras

from tlkeras.backbones.spec import Preprocessing

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
    if mode == "tf":
        return _rescale(x, 1 / 127.5, -1.0)
    if mode == "torch":
        scale = [1 / (255 * deviation) for deviation in _DEVIATION]
        offset = [-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)]
        return _rescale(x, scale, offset)
    return _rescale(keras.ops.flip(x, axis=-1), 1.0, [-mean for mean in _CAFFE_MEAN_BGR])


def _rescale(
    x: keras.KerasTensor, scale: float | list[float], offset: float | list[float]
) -> keras.KerasTensor:
    # float32 whatever the global policy: 255 levels do not survive float16 arithmetic.
    return keras.layers.Rescaling(scale, offset=offset, dtype="float32", name="rescale")(x)
