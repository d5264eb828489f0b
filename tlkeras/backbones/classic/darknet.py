"""Darknet-19: a chain of 3x3 and 1x1 convolutions, the classifier behind YOLO v2.

    image ─ 32 ─ pool ─ 64 ─ pool ─ 128 64 128 ─ pool ─ 256 … ─ pool ─ 512 … ─ pool ─ 1024 …

Source: J. Redmon and A. Farhadi, "YOLO9000: Better, Faster, Stronger", 2017, and darknet19.cfg.
Darknet itself feeds pixels in [0, 1].
"""

import keras

from tlkeras.backbones.classic.layers import conv, norm

# Channels of each stage; a wide 3x3 convolution and a narrow 1x1 one take turns.
STAGES = (
    (32,),
    (64,),
    (128, 64, 128),
    (256, 128, 256),
    (512, 256, 512, 256, 512),
    (1024, 512, 1024, 512, 1024),
)


def darknet(x: keras.KerasTensor, rescaling: bool = False) -> keras.KerasTensor:
    """Pixels (n, h, w, 3) → map (n, h/32, w/32, 1024).

    Args:
        x: pixels.
        rescaling: whether `x` is in [0, 255] and is to become [0, 1] first.

    Example::

        darknet(keras.Input((256, 256, 3)), rescaling=True).shape   # (None, 8, 8, 1024)
    """
    if rescaling:
        x = keras.layers.Rescaling(1 / 255, dtype="float32", name="rescale")(x)
    number = 0
    for stage, channels in enumerate(STAGES):
        if stage:
            # After a leaky ReLU there are negative values: only "same" pads with -inf. At an odd
            # size Darknet has one window more at the end, cut by the edge, as Keras has.
            x = keras.layers.MaxPooling2D(2, 2, padding="same", name=f"pool{stage}")(x)
        for place, count in enumerate(channels):
            number += 1
            x = norm(conv(x, count, 1 if place % 2 else 3, f"conv{number}"), f"bn{number}")
            x = keras.layers.LeakyReLU(0.1, name=f"leaky{number}")(x)
    return x
