"""TinyResNet: the small residual network whose weights come with this package.

    image 128 ─ stem ─ 64² ─ stage 1 ─ 32² ─ stage 2 ─ 16² ─ stage 3 ─ 8² ─ head ─ mean ─ 384

Plain 3x3 convolutions on few channels: on a CPU they run near the machine's peak, which
depthwise ones do not. Source of the block: K. He et al., "Deep Residual Learning for Image
Recognition", 2016, with the averaging shortcut of T. He et al., "Bag of Tricks for Image
Classification with Convolutional Neural Networks", 2019.
"""

import keras

SIZE_PX = 128
STEM = 32
STAGES = ((48, 1), (96, 1), (192, 2))  # channels, blocks
WIDTH = 384


def TinyResNet(  # noqa: N802 - named as keras.applications name theirs
    include_top: bool = False,
    weights: None = None,
    input_tensor: keras.KerasTensor | None = None,
    input_shape: tuple[int | None, int | None, int] = (SIZE_PX, SIZE_PX, 3),
    pooling: str | None = "avg",
) -> keras.Model:
    """An untrained network: pixels (n, h, w, 3) float32 in [-1, 1] → embedding (n, 384).

    Takes the arguments of a `keras.applications` function, as far as they make sense for it.

    Args:
        include_top: must be False; the network has no classifier.
        weights: must be None; `Backbone.build` loads the ones of the package.
        input_tensor: what the network is built on; a new `keras.Input` when None.
        input_shape: (h, w, 3) of that input.
        pooling: "avg" for the mean over the map, None for the map (n, h/16, w/16, 384).
    """
    if include_top or weights is not None or pooling not in ("avg", None):
        raise ValueError(
            "TinyResNet takes include_top=False, weights=None and pooling 'avg' or None. "
            f"Received: {include_top}, {weights!r}, {pooling!r}."
        )
    pixels = keras.Input(input_shape) if input_tensor is None else input_tensor
    x = _convolution(pixels, STEM, 3, "stem", strides=2)
    for stage, (channels, blocks) in enumerate(STAGES, start=1):
        for block in range(1, blocks + 1):
            x = _block(x, channels, f"stage{stage}_block{block}", strides=2 if block == 1 else 1)
    x = _convolution(x, WIDTH, 1, "head")
    if pooling == "avg":
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    source = pixels if input_tensor is None else keras.utils.get_source_inputs(input_tensor)
    return keras.Model(source, x, name="tiny_resnet")


def _convolution(
    x: keras.KerasTensor,
    channels: int,
    size: int,
    name: str,
    *,
    strides: int = 1,
    relu: bool = True,
) -> keras.KerasTensor:
    x = keras.layers.Conv2D(
        channels,
        size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = keras.layers.BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _block(x: keras.KerasTensor, channels: int, name: str, strides: int) -> keras.KerasTensor:
    y = _convolution(x, channels, 3, f"{name}_a", strides=strides)
    y = _convolution(y, channels, 3, f"{name}_b", relu=False)
    if strides > 1:
        x = keras.layers.AveragePooling2D(strides, padding="same", name=f"{name}_pool")(x)
    if x.shape[-1] != channels:
        x = _convolution(x, channels, 1, f"{name}_short", relu=False)
    x = keras.layers.Add(name=f"{name}_add")([x, y])
    return keras.layers.ReLU(name=f"{name}_relu")(x)
