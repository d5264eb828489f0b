"""GoogLeNet: blocks of four branches side by side, with BatchNormalization.

    image ─ conv1 7x7/2 ─ pool ─ conv2, conv3 ─ pool ─ 3a 3b ─ pool ─ 4a … 4e ─ pool ─ 5a 5b

Source: C. Szegedy et al., "Going Deeper with Convolutions", 2015, as torchvision's `googlenet`
has it. Its third branch is 3x3 where the paper's is 5x5
(https://github.com/pytorch/vision/issues/906); the weights were trained so. They were also
trained on pixels in [-1, 1]: torchvision's `transform_input` undoes its own normalisation to get
there. The auxiliary classifiers are left out.
"""

import keras

from tlkeras.backbones.classic.layers import conv, max_pool_ceil, norm, relu

# Channels: 1x1 | 1x1 then 3x3 | 1x1 then 3x3 | pooling then 1x1
_BLOCKS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
_EPSILON = 1e-3


def googlenet(x: keras.KerasTensor) -> keras.KerasTensor:
    """Pixels (n, h, w, 3) → map (n, h/32, w/32, 1024).

    Example::

        googlenet(keras.Input((224, 224, 3))).shape         # (None, 7, 7, 1024)
    """
    x = max_pool_ceil(_unit(x, 64, 7, "conv1", strides=2), "maxpool1")
    x = _unit(_unit(x, 64, 1, "conv2"), 192, 3, "conv3")
    x = max_pool_ceil(x, "maxpool2")
    for name, channels in _BLOCKS.items():
        if name == "4a":
            x = max_pool_ceil(x, "maxpool3")
        if name == "5a":
            x = max_pool_ceil(x, "maxpool4", size=2)
        x = _inception(x, channels, f"inception{name}")
    return x


def _inception(
    x: keras.KerasTensor, channels: tuple[int, int, int, int, int, int], name: str
) -> keras.KerasTensor:
    one, three_in, three, five_in, five, pooled = channels
    pool = keras.layers.MaxPooling2D(3, 1, padding="same", name=f"{name}_branch4_0")(x)
    branches = [
        _unit(x, one, 1, f"{name}_branch1"),
        _unit(_unit(x, three_in, 1, f"{name}_branch2_0"), three, 3, f"{name}_branch2_1"),
        _unit(_unit(x, five_in, 1, f"{name}_branch3_0"), five, 3, f"{name}_branch3_1"),
        _unit(pool, pooled, 1, f"{name}_branch4_1"),
    ]
    return keras.layers.Concatenate(name=f"{name}_concat")(branches)


def _unit(
    x: keras.KerasTensor, channels: int, size: int, name: str, strides: int = 1
) -> keras.KerasTensor:
    x = conv(x, channels, size, f"{name}_conv", strides=strides)
    return relu(norm(x, f"{name}_bn", epsilon=_EPSILON), f"{name}_relu")
