"""ShuffleNet V2: half of the channels pass by, the other half is worked on, then they mix.

    image ─ conv1 24/2 ─ maxpool/2 ─ stage2/2 ─ stage3/2 ─ stage4/2 ─ conv5 1x1

Source: N. Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture
Design", 2018, with the names of torchvision's `shufflenet_v2_x…`.
"""

import keras

from tlkeras.backbones.classic.layers import conv, depthwise_conv, max_pool, norm, relu

_CHANNELS = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}
_BLOCKS = (4, 8, 4)


def shufflenet(x: keras.KerasTensor, alpha: float = 1.0) -> keras.KerasTensor:
    """Pixels (n, h, w, 3), h and w known → map (n, h/32, w/32, 1024), 2048 for alpha 2.

    Args:
        x: pixels.
        alpha: width of the network: 0.5, 1, 1.5 or 2.

    Example::

        shufflenet(keras.Input((224, 224, 3)), alpha=0.5).shape     # (None, 7, 7, 1024)
    """
    if alpha not in _CHANNELS or None in x.shape[1:3]:
        raise ValueError(
            f"ShuffleNetV2 takes alpha {', '.join(map(str, _CHANNELS))} and pictures of a known "
            f"size. Received: alpha={alpha}, shape {tuple(x.shape)}."
        )
    x = relu(norm(conv(x, 24, 3, "conv1_0", strides=2), "conv1_1"), "conv1_2")
    x = max_pool(x, "maxpool")
    for stage, (blocks, channels) in enumerate(zip(_BLOCKS, _CHANNELS[alpha], strict=False), 2):
        x = _downsampling(x, channels // 2, f"stage{stage}_0")
        for place in range(1, blocks):
            x = _block(x, channels // 2, f"stage{stage}_{place}")
    return relu(norm(conv(x, _CHANNELS[alpha][-1], 1, "conv5_0"), "conv5_1"), "conv5_2")


def _downsampling(x: keras.KerasTensor, half: int, name: str) -> keras.KerasTensor:
    short = norm(depthwise_conv(x, 3, f"{name}_branch1_0", strides=2), f"{name}_branch1_1")
    short = norm(conv(short, half, 1, f"{name}_branch1_2"), f"{name}_branch1_3")
    short = relu(short, f"{name}_branch1_4")
    return _shuffle(short, _branch(x, half, name, strides=2), name)


def _block(x: keras.KerasTensor, half: int, name: str) -> keras.KerasTensor:
    passed, worked = keras.ops.split(x, 2, axis=-1)
    return _shuffle(passed, _branch(worked, half, name, strides=1), name)


def _branch(x: keras.KerasTensor, half: int, name: str, strides: int) -> keras.KerasTensor:
    x = norm(conv(x, half, 1, f"{name}_branch2_0"), f"{name}_branch2_1")
    x = relu(x, f"{name}_branch2_2")
    x = norm(depthwise_conv(x, 3, f"{name}_branch2_3", strides=strides), f"{name}_branch2_4")
    x = norm(conv(x, half, 1, f"{name}_branch2_5"), f"{name}_branch2_6")
    return relu(x, f"{name}_branch2_7")


def _shuffle(first: keras.KerasTensor, second: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Channels of both in turn: first 0, second 0, first 1, second 1, …"""
    x = keras.layers.Concatenate(name=f"{name}_concat")([first, second])
    height, width, channels = x.shape[1:]
    x = keras.layers.Reshape((height, width, 2, channels // 2), name=f"{name}_groups")(x)
    x = keras.layers.Permute((1, 2, 4, 3), name=f"{name}_shuffle")(x)
    return keras.layers.Reshape((height, width, channels), name=f"{name}_out")(x)
