"""What a network is fed with: that it is one picture, which size, and whether it scales it."""

import logging
from typing import TYPE_CHECKING

from tlkeras.errors import BackboneError

if TYPE_CHECKING:
    import keras

_LOG = logging.getLogger(__name__)

_DEFAULT_PX = 224
_OWN_SCALING = ("Rescaling", "Normalization", "TrueDivide", "Divide", "Multiply", "Subtract")
_NEAR_INPUT = 6


def check_graph(model: "keras.Model", label: str) -> None:
    """Nothing for a graph of layers that takes one RGB picture, BackboneError otherwise."""
    import keras

    from tlkeras.backbones.graft import is_graph

    if not isinstance(model, keras.Model):
        raise BackboneError(
            f"Expected a keras.Model or the path of one, got {type(model).__name__}. Give a "
            "catalogue name, a Keras model, or a .keras file."
        )
    if not is_graph(model) or not model.built or not getattr(model, "inputs", None):
        raise BackboneError(
            f"Expected a built Functional or Sequential Keras model, got '{label}' of the class "
            f"{type(model).__name__}. Build it functionally: keras.Model(inputs, outputs), or "
            "give a Sequential model its keras.Input."
        )
    shape = tuple(model.inputs[0].shape)
    if len(model.inputs) != 1 or len(shape) != 4:
        raise BackboneError(
            f"Expected a model with one picture in, got '{label}' with inputs "
            f"{[tuple(i.shape) for i in model.inputs]}. Make one with "
            "keras.Model(one_input, one_output)."
        )
    if shape[-1] != 3:
        raise BackboneError(
            f"Expected a model for RGB pictures (n, h, w, 3), got '{label}' for {shape}. Put "
            "layers in front of it that turn 3 channels into its own, for example "
            f"keras.layers.Conv2D({shape[-1]}, 1), and give the whole as a new model."
        )


def sides(
    source: "keras.Model", label: str, size_px: int | None, usual_px: int | None
) -> tuple[int, int, bool]:
    """Height and width that the model is fed with, and whether it resizes to them itself."""
    from tlkeras.backbones.graft import leaves

    shape = tuple(source.inputs[0].shape)
    first = next(iter(leaves(source)), None)
    if first is not None and type(first).__name__ == "Resizing":
        return first.height, first.width, True
    fixed = {side for side in shape[1:3] if side is not None}
    if size_px is not None and fixed and fixed != {size_px}:
        raise BackboneError(
            f"Expected pictures of {shape[1]} x {shape[2]} px, the only size that '{label}' "
            f"takes, got size_px={size_px}. Leave size_px out."
        )
    side = size_px or usual_px or _DEFAULT_PX
    return shape[1] or side, shape[2] or side, False


def warn_without_scaling(source: "keras.Model", label: str) -> None:
    """A warning in the log when nothing near the input scales the pixels."""
    from tlkeras.backbones.graft import leaves

    near = [type(operation).__name__ for operation in leaves(source)][:_NEAR_INPUT]
    if not set(near) & set(_OWN_SCALING):
        _LOG.warning(
            "%s: no Rescaling or Normalization near its input, so that it gets pixels in "
            "[0, 255]; if it was trained on other values, say preprocessing='tf', 'torch', "
            "'caffe' or 'unit', or preprocessing='none' if this is right",
            label,
        )
