"""PyTorch's way of padding and pooling, in plain Keras layers.

PyTorch pads both sides alike, Keras' "same" more on the right where the stride is 2. PyTorch pads
a max-pooling with -inf; here it is fed by a ReLU, after which a zero never wins either.
"""

import keras


def conv(
    x: keras.KerasTensor,
    channels: int,
    size: int,
    name: str,
    *,
    strides: int = 1,
    padding: int | None = None,
    bias: bool = False,
) -> keras.KerasTensor:
    """Map (n, h, w, c) → (n, h/strides, w/strides, channels), `padding` pixels on all sides.

    Padding is half the kernel's size when None, which keeps the size of a map.

    Example::

        conv(x, 64, 7, "conv1", strides=2)      # nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
    """
    x, mode = _padded(x, size, name, strides, padding)
    return keras.layers.Conv2D(
        channels,
        size,
        strides=strides,
        padding=mode,
        use_bias=bias,
        kernel_initializer="he_normal",
        name=name,
    )(x)


def depthwise_conv(
    x: keras.KerasTensor, size: int, name: str, *, strides: int = 1
) -> keras.KerasTensor:
    """Map (n, h, w, c) → (n, h/strides, w/strides, c), each channel by itself, no bias.

    Example::

        depthwise_conv(x, 3, "dw", strides=2)   # nn.Conv2d(c, c, 3, 2, padding=1, groups=c)
    """
    x, mode = _padded(x, size, name, strides, None)
    return keras.layers.DepthwiseConv2D(
        size,
        strides=strides,
        padding=mode,
        use_bias=False,
        depthwise_initializer="he_normal",
        name=name,
    )(x)


def norm(x: keras.KerasTensor, name: str, *, epsilon: float = 1e-5) -> keras.KerasTensor:
    """BatchNormalization with PyTorch's epsilon and momentum (its 0.1 is Keras' 0.9).

    Example::

        norm(x, "bn1")                          # nn.BatchNorm2d(c)
    """
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=epsilon, name=name)(x)


def relu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """The positive part of `x`.

    Example::

        relu(x, "relu")                         # nn.ReLU()
    """
    return keras.layers.ReLU(name=name)(x)


def max_pool(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Largest value of 3x3, every second one, padded by one pixel; `x` must not be negative.

    Example::

        max_pool(relu(x, "relu"), "maxpool")    # nn.MaxPool2d(3, 2, padding=1)
    """
    x = keras.layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return keras.layers.MaxPooling2D(3, 2, name=name)(x)


def max_pool_ceil(x: keras.KerasTensor, name: str, *, size: int = 3) -> keras.KerasTensor:
    """Largest value, every second one, the last window cut by the edge; `x` not negative.

    One row more at the end is what makes an incomplete last window count, and is left over
    where the last window is complete.

    Example::

        max_pool_ceil(relu(x, "relu"), "pool")  # nn.MaxPool2d(3, 2, ceil_mode=True)
    """
    x = keras.layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x)
    return keras.layers.MaxPooling2D(size, 2, name=name)(x)


def _padded(
    x: keras.KerasTensor, size: int, name: str, strides: int, padding: int | None
) -> tuple[keras.KerasTensor, str]:
    wanted = size // 2 if padding is None else padding
    if not wanted:
        return x, "valid"
    if strides == 1 and wanted == size // 2:
        return x, "same"
    return keras.layers.ZeroPadding2D(wanted, name=f"{name}_pad")(x), "valid"
