"""Layers that do nothing in inference, and activations that are layers."""

from typing import Any

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.layers.activate import activated
from converters.keras_to_onnx.parts.align import pointwise, unary
from converters.keras_to_onnx.parts.reduction import chosen, softmax_over
from converters.keras_to_onnx.registry import layer
from converters.keras_to_onnx.value import Spec, Value


@layer(
    "Identity",
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "ActivityRegularization",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
)
def nothing(g: Graph, op: Any, out: Spec, x: Value, **_: Any) -> Value:
    """The value itself: these layers act in training only."""
    return x


@layer("Activation")
def activation(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Whatever function the layer has."""
    return activated(g, op.activation, x)


@layer("ReLU")
def relu(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Relu, LeakyRelu or Clip, by the layer's settings."""
    from keras.activations import relu as function

    settings = op.negative_slope, op.max_value, op.threshold
    return activated(g, lambda t: function(t, *settings), x)


@layer("LeakyReLU")
def leaky_relu(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """LeakyRelu."""
    return unary(g, "LeakyRelu", x, alpha=float(op.negative_slope))


@layer("ELU")
def elu(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Elu."""
    return unary(g, "Elu", x, alpha=float(op.alpha))


@layer("PReLU")
def prelu(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """PRelu; the slopes are stored as the value is."""
    x = g.unflattened(x)
    sizes = (1, *op.alpha.shape)
    slope = g.weight(
        "weight", op.alpha, lambda a: a.reshape(sizes).transpose(x.order)[0], kind=x.order
    )
    return g.emit("PRelu", [x, slope], x.shape, "float32", x.order)


@layer("Softmax")
def softmax(g: Graph, op: Any, out: Spec, x: Value, mask: Value | None = None) -> Value:
    """Softmax; what the mask leaves out is made very small first."""
    axes = [op.axis] if isinstance(op.axis, int) else list(op.axis)
    if mask is None:
        return softmax_over(g, x, axes)
    if mask.dtype != "bool":
        mask = pointwise(g, "Greater", mask, 0.5, work=mask.dtype, dtype="bool")
    kept = chosen(g, mask, x, -1e9)
    # Where a whole row is left out, Keras gives zeros, not equal shares.
    return chosen(g, mask, softmax_over(g, kept, axes), 0.0)
