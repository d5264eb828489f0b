"""ResNet-18 and -34: residual networks of two 3x3 convolutions a block.

    image ─ conv1 7x7/2 ─ maxpool/2 ─ layer1 64 ─ layer2 128/2 ─ layer3 256/2 ─ layer4 512/2

Source: K. He et al., "Deep Residual Learning for Image Recognition", 2016, with the names of
torchvision's `resnet18` and `resnet34`.
"""

import keras

from tlkeras.backbones.classic.layers import conv, max_pool, norm, relu


def resnet(x: keras.KerasTensor, blocks: tuple[int, int, int, int]) -> keras.KerasTensor:
    """Pixels (n, h, w, 3) → map (n, h/32, w/32, 512); `blocks` of each of the four layers.

    Example::

        resnet(keras.Input((224, 224, 3)), (2, 2, 2, 2))        # ResNet-18
    """
    x = relu(norm(conv(x, 64, 7, "conv1", strides=2), "bn1"), "relu")
    x = max_pool(x, "maxpool")
    for stage, count in enumerate(blocks, start=1):
        for place in range(count):
            strides = 2 if stage > 1 and place == 0 else 1
            x = _block(x, 32 * 2**stage, strides, f"layer{stage}_{place}")
    return x


def _block(x: keras.KerasTensor, channels: int, strides: int, name: str) -> keras.KerasTensor:
    y = conv(x, channels, 3, f"{name}_conv1", strides=strides)
    y = relu(norm(y, f"{name}_bn1"), f"{name}_relu1")
    y = norm(conv(y, channels, 3, f"{name}_conv2"), f"{name}_bn2")
    if strides > 1:
        x = conv(x, channels, 1, f"{name}_downsample_0", strides=strides)
        x = norm(x, f"{name}_downsample_1")
    return relu(keras.layers.Add(name=f"{name}_add")([y, x]), f"{name}_relu2")
