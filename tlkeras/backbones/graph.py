"""From a Backbone to one flat Keras model with its preprocessing inside.

    image ─ resize ─ (flip) ─ (rescale) ─ the application's own layers ─ pool ─ embedding
    (n, any, any, 3) RGB [0, 255]                                       (n, width) float32

Only layers of Keras itself, no Lambda and no custom class: `keras.models.load_model` opens
the saved model without this package, and every inner layer is reached by its name.
"""

import re
from collections.abc import Callable

import keras

from tlkeras.backbones.classic import CLASSICS
from tlkeras.backbones.preprocess import preprocess, resize
from tlkeras.backbones.spec import Backbone
from tlkeras.errors import BackboneError

# Keras builds these with one Rescaling more when it is asked for ImageNet weights:
# https://github.com/tensorflow/tensorflow/issues/49930
_EFFICIENTNET_DEVIATION = (0.229, 0.224, 0.225)


def embedding_graph(spec: Backbone) -> keras.Model:
    """Keras model of `spec`, its weights as Keras happened to draw them.

    Example::

        model = embedding_graph(find("ResNet50"))           # (n, any, any, 3) → (n, 2048)
        model.get_layer("conv4_block6_out").output

    Raises:
        BackboneError: a size this network cannot take, or channels-first Keras.
    """
    if keras.config.image_data_format() != "channels_last":
        raise BackboneError(
            "Backbones are built with Keras' image data format 'channels_last'; it is set to "
            f"'{keras.config.image_data_format()}'. Call "
            "keras.config.set_image_data_format('channels_last') first."
        )
    image = keras.Input((None, None, 3), dtype="float32", name="image")
    pixels = preprocess(resize(image, spec.size_px, spec.size_px), spec.preprocessing)
    try:
        core = application(spec.application)(
            input_tensor=pixels,
            input_shape=(spec.size_px, spec.size_px, 3),
            include_top=False,
            weights=None,
            pooling="avg",
            **spec.arguments,
        )
    except ValueError as err:
        raise BackboneError(
            f"{spec.name} cannot be built for pictures of {spec.size_px} px ({err}). "
            f"Choose a larger size; `find('{spec.application}').size_px` is its own."
        ) from err
    if re.fullmatch(r"EfficientNetB\d", spec.application):
        core = _with_second_rescaling(core)
    _renumber(core.operations)
    return finish(core.inputs[0], core.output, spec.name)


def application(name: str) -> Callable[..., keras.Model]:
    """The function that builds this application: `keras.applications`', a classic, or our own.

    Example::

        application("MobileNetV2")          # keras.applications.MobileNetV2
    """
    if name == "TinyResNet":
        from tlkeras.backbones.tiny_resnet import TinyResNet

        return TinyResNet
    if name in CLASSICS:
        from tlkeras.backbones.classic.networks import network

        return network(name)
    return getattr(keras.applications, name)


def finish(image: keras.KerasTensor, features: keras.KerasTensor, name: str) -> keras.Model:
    """Model from `image` to `features`, ending in the float32 layer "embedding".

    Example::

        finish(core.input, core.get_layer("avg_pool").output, "my network")
    """
    # An identity in float32: a mixed precision policy must not make the output float16.
    embedding = keras.layers.Activation("linear", dtype="float32", name="embedding")(features)
    return keras.Model(image, embedding, name=re.sub(r"[^A-Za-z0-9._]", "_", name.lower()))


def snake_case(class_name: str) -> str:
    """The name Keras derives from a class: the start of layer names and of weight groups.

    Example::

        snake_case("BatchNormalization")    # "batch_normalization"
    """
    plain = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", plain).lower()


def _with_second_rescaling(core: keras.Model) -> keras.Model:
    def call(layer: keras.Operation, *args: object, **kwargs: object) -> object:
        outputs = layer(*args, **kwargs)
        if isinstance(layer, keras.layers.Normalization):
            scale = [deviation**-0.5 for deviation in _EFFICIENTNET_DEVIATION]
            return keras.layers.Rescaling(scale)(outputs)
        return outputs

    return keras.models.clone_model(core, call_function=call)


def _renumber(operations: list[keras.Operation]) -> None:
    # Keras numbers unnamed layers through the whole process: a second build would have other
    # names. Numbered from zero again, as in a fresh process, they mean the same layer always.
    counted: dict[str, list[tuple[int, keras.Operation]]] = {}
    for operation in operations:
        prefix = snake_case(type(operation).__name__)
        match = re.fullmatch(rf"{prefix}(?:_(\d+))?", operation.name)
        if match:
            counted.setdefault(prefix, []).append((int(match[1] or 0), operation))
    for prefix, numbered in counted.items():
        for place, (_, operation) in enumerate(sorted(numbered, key=lambda pair: pair[0])):
            operation.name = f"{prefix}_{place}" if place else prefix
