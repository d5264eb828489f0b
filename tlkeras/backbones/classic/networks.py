"""Name of a classic network → a function that is called as those of keras.applications are."""

from collections.abc import Callable
from functools import partial

import keras

from tlkeras.backbones.classic.darknet import darknet
from tlkeras.backbones.classic.googlenet import googlenet
from tlkeras.backbones.classic.resnet import resnet
from tlkeras.backbones.classic.shufflenet import shufflenet
from tlkeras.backbones.classic.squeezenet import squeezenet

_FEATURES: dict[str, Callable[..., keras.KerasTensor]] = {
    "ResNet18": partial(resnet, blocks=(2, 2, 2, 2)),
    "ResNet34": partial(resnet, blocks=(3, 4, 6, 3)),
    "SqueezeNet1.1": squeezenet,
    "GoogLeNet": googlenet,
    "ShuffleNetV2": shufflenet,
    "Darknet19": darknet,
}


def network(name: str) -> Callable[..., keras.Model]:
    """The function that builds the network of that name, untrained and without classifier.

    Example::

        network("ResNet18")(input_shape=(224, 160, 3))      # (n, 224, 160, 3) → (n, 512)
    """
    return partial(_application, name)


def _application(
    name: str,
    *,
    include_top: bool = False,
    weights: None = None,
    input_tensor: keras.KerasTensor | None = None,
    input_shape: tuple[int | None, int | None, int] = (224, 224, 3),
    pooling: str | None = "avg",
    **arguments: float | bool,
) -> keras.Model:
    if include_top or weights is not None or pooling not in ("avg", None):
        raise ValueError(
            f"{name} takes include_top=False, weights=None and pooling 'avg' or None. "
            f"Received: {include_top}, {weights!r}, {pooling!r}."
        )
    pixels = keras.Input(input_shape) if input_tensor is None else input_tensor
    x = _FEATURES[name](pixels, **arguments)
    if pooling == "avg":
        x = keras.layers.GlobalAveragePooling2D(name="avgpool")(x)
    source = pixels if input_tensor is None else keras.utils.get_source_inputs(input_tensor)
    return keras.Model(source, x, name=name.lower().replace(".", "_"))
