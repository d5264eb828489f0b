"""SqueezeNet 1.1: 1x1 convolutions that squeeze, then 1x1 and 3x3 ones side by side.

    image ─ conv 64/2 ─ pool ─ fire 128, 128 ─ pool ─ fire 256, 256 ─ pool ─ fire 384, 384, 512, 512

Source: F. Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016,
version 1.1 of its authors, with the names of torchvision's `squeezenet1_1`.
"""

import keras

from tlkeras.backbones.classic.layers import conv, max_pool_ceil, relu

# Place in torchvision's `features`, and channels squeezed to; None is a pooling.
_FEATURES = {
    2: None,
    3: (16, 64),
    4: (16, 64),
    5: None,
    6: (32, 128),
    7: (32, 128),
    8: None,
    9: (48, 192),
    10: (48, 192),
    11: (64, 256),
    12: (64, 256),
}


def squeezenet(x: keras.KerasTensor) -> keras.KerasTensor:
    """Pixels (n, h, w, 3) → map (n, h/16, w/16, 512), rounded down by a pixel.

    Example::

        squeezenet(keras.Input((224, 224, 3))).shape        # (None, 13, 13, 512)
    """
    x = relu(conv(x, 64, 3, "features_0", strides=2, padding=0, bias=True), "features_1")
    for place, channels in _FEATURES.items():
        name = f"features_{place}"
        x = _fire(x, *channels, name) if channels else max_pool_ceil(x, name)
    return x


def _fire(x: keras.KerasTensor, squeezed: int, expanded: int, name: str) -> keras.KerasTensor:
    x = relu(conv(x, squeezed, 1, f"{name}_squeeze", bias=True), f"{name}_squeeze_activation")
    sides = []
    for size in (1, 3):
        label = f"{name}_expand{size}x{size}"
        sides.append(relu(conv(x, expanded, size, label, bias=True), f"{label}_activation"))
    return keras.layers.Concatenate(name=f"{name}_concat")(sides)
